-- OAuth credentials: tokens that expire, and the exchange that renews them.
--
-- An account with OAuth tokens has these fields besides those in accounts.lua:
--   sign_in             its tokens, sealed          expires_ms   when the access token expires; 0 unknown
--   rotation            how often its tokens were replaced
--   refresh_fence       how often the right to exchange was given: only the last holder may write
--   refresh_until_ms    no one else may exchange before: an exchange is under way, or failed a moment ago
--   refresh_unanswered  '1' from the moment an exchange may be on its way until its response is known
--   refresh_dead        why the issuer will never exchange this token again

local RENEWABLE = { credential_expired = true }
local REPLACEABLE = { credential_expired = true, credential_dead = true }

-- Replaces the tokens; reactivates the account if its state is one of *ends*.
local function put_tokens(args, ends, now)
  local key = account_key(args.account)
  redis.call('HSET', key, 'sign_in', args.sign_in, 'expires_ms', args.expires_ms, 'credential', '',
    'refresh_until_ms', 0, 'refresh_unanswered', '0')
  redis.call('HDEL', key, 'refresh_dead')
  redis.call('HINCRBY', key, 'rotation', 1)
  local account = read_account(args.account, now)
  if ends[account.state] then reactivate(account, redis.call('HGET', POOL, 'policy') or 'balanced', now) end
  return redis.call('HINCRBY', key, 'version', 1)
end

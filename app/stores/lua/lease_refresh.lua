-- Take the lease to exchange an account's refresh token.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {account, rotation, refused, ttl_ms}: rotation is that of the unusable tokens,
--          refused: the upstream already refuses them
-- Returns  JSON {verdict, …}, verdict being
--   leased      {fence, rotation, sign_in}: no one else exchanges this token within ttl_ms
--   renewed     {version}: those tokens have been replaced
--   held        an exchange is under way
--   cooling     an exchange failed a moment ago
--   unanswered  an exchange was sent and its response lost, so the token may be used up. A second use may
--               end the sign-in: it is the last resort, when the access token does not work either
--   dead        only a new sign-in helps
--   gone        there are no such tokens
-- Invariant: at most one exchange of each rotation is under way.
-- Safe to repeat: a lease whose reply was lost expires.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { account = 'text', rotation = 'count', refused = '?flag', ttl_ms = 'count' })
local key = account_key(args.account)
local values = redis.call('HMGET', key, 'sign_in', 'rotation', 'expires_ms', 'refresh_until_ms', 'refresh_unanswered',
  'refresh_dead', 'version')
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
local rotation, expires, busy_until = tonumber(values[2]), tonumber(values[3]), tonumber(values[4]) or 0

local function verdict(name) return cjson.encode({ verdict = name }) end

if not values[1] then return verdict('gone') end
if rotation > args.rotation then return cjson.encode({ verdict = 'renewed', version = tonumber(values[7]) }) end
if values[6] then
  apply_outcome(args.account, { state = 'credential_dead', reason = values[6], wait_ms = 0, retest_wait_ms = 0 }, now, policy)
  return verdict('dead')
end
if busy_until > now then
  if redis.call('HGET', key, 'refresh_held') == '1' then return verdict('held') end
  if args.refused then
    apply_outcome(args.account, { state = 'credential_expired', reason = 'its renewal failed a moment ago',
      wait_ms = busy_until - now, retest_wait_ms = busy_until - now }, now, policy)
  end
  return verdict('cooling')
end
local usable = not args.refused and (expires == 0 or expires > now)
if values[5] == '1' and usable then return verdict('unanswered') end

local fence = redis.call('HINCRBY', key, 'refresh_fence', 1)
redis.call('HSET', key, 'refresh_held', '1', 'refresh_until_ms', now + args.ttl_ms, 'refresh_unanswered', '1')
return cjson.encode({ verdict = 'leased', fence = fence, rotation = rotation, sign_in = values[1] })

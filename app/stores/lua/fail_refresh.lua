-- Tell how an exchange failed, and give its lease back.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {account, fence, reason, dead, answered, refused, cool_ms}: dead says that only a new
--          sign-in helps, answered that the refresh token was not used up, refused that the upstream
--          does not take the access token either
-- Returns  1, or 0 when the lease was not the last one.
local ask, now = cjson.decode(ARGV[1]), clock()
check(ask, { account = 'text', fence = 'count', reason = 'text', dead = '?flag', answered = '?flag', refused = '?flag',
  cool_ms = 'count' })
local key = account_key(ask.account)
local v = redis.call('HMGET', key, 'refresh_fence', 'refresh_held')
if tonumber(v[1]) ~= ask.fence or v[2] ~= '1' then return 0 end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
redis.call('HSET', key, 'refresh_held', '0', 'refresh_until_ms', now + ask.cool_ms,
  'refresh_unanswered', ask.answered and '0' or '1')
if ask.dead then
  redis.call('HSET', key, 'refresh_dead', ask.reason)
  apply_mark(ask.account, { state = 'credential_dead', reason = ask.reason, wait_ms = 0, retest_wait_ms = 0 }, now, policy)
elseif ask.refused then
  apply_mark(ask.account, { state = 'credential_expired', reason = ask.reason, wait_ms = ask.cool_ms,
    retest_wait_ms = ask.cool_ms }, now, policy)
end
return 1

-- Pause or resume an account. An operator's choice overrides the account's health.
-- KEYS[1]  root of the pool
-- ARGV     account id, active | paused, reason
-- Returns  1 done, 0 unknown.
local id, state, now = ARGV[1], ARGV[2], clock()
check(ARGV, { [1] = 'text', [2] = 'text', [3] = 'text' })
local account = read_account(id, now)
if not account then return 0 end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
redis.call('SREM', SOFT, id)
if state == 'paused' then
  deactivate(account, policy, { state = 'paused', reason = ARGV[3], until_ms = 0, retest_ms = 0 }, now)
else
  redis.call('ZREM', OUT, id)
  forget_rests(id)
  redis.call('HSET', account_key(id), 'errors', 0, 'probe', '0')
  redis.call('HDEL', account_key(id), 'streak', 'unproven')
  set_state(account, 'active', '', 0, now)
  rejoin(read_account(id, now), policy)
end
return 1

-- Record how a token exchange failed, and release its lease.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {account, fence, reason, dead, answered, refused, cool_ms}: dead: only a new sign-in helps;
--          answered: the refresh token was certainly not used up; refused: the upstream also refuses the
--          access token
-- Returns  1 recorded, or 0 when the lease is not the latest one.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { account = 'text', fence = 'count', reason = 'text', dead = '?flag', answered = '?flag', refused = '?flag',
  cool_ms = 'count' })
local key = account_key(args.account)
local values = redis.call('HMGET', key, 'refresh_fence', 'refresh_held')
if tonumber(values[1]) ~= args.fence or values[2] ~= '1' then return 0 end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
redis.call('HSET', key, 'refresh_held', '0', 'refresh_until_ms', now + args.cool_ms,
  'refresh_unanswered', args.answered and '0' or '1')
if args.dead then
  redis.call('HSET', key, 'refresh_dead', args.reason)
  apply_outcome(args.account, { state = 'credential_dead', reason = args.reason, wait_ms = 0, retest_wait_ms = 0 }, now, policy)
elseif args.refused then
  apply_outcome(args.account, { state = 'credential_expired', reason = args.reason, wait_ms = args.cool_ms,
    retest_wait_ms = args.cool_ms }, now, policy)
end
return 1

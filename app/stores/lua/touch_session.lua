-- Read a session that is being used, and extend it.
-- KEYS[1]  root of the system keys
-- ARGV     SHA-256 of its secret id (hex), its idle time (ms), fingerprint of the current rules
-- Returns  {field, value, …} of the session, `role`: that of its operator, `stale` if other rules assigned the role, and
--          `lacks_second_factor` if the policy requires one; empty when there is no such session, or its operator was
--          removed.
local key, now, idle_ms = session_key(ARGV[1]), clock(), number_argument(ARGV[2], 'idle time')
local flat = redis.call('HGETALL', key)
if #flat == 0 then return {} end
local values = redis.call('HMGET', key, 'operator', 'ends_ms', 'method')
local left = tonumber(values[2]) - now
if left <= 0 or redis.call('EXISTS', operator_key(values[1])) == 0 then
  redis.call('DEL', key)
  return {}
end
redis.call('HSET', key, 'seen_ms', now)
redis.call('PEXPIRE', key, math.floor(math.min(left, idle_ms)))
if lacks_second_factor(values[1], values[3] or 'password') then with_field(flat, 'lacks_second_factor', '1') end
if is_stale(values[1], ARGV[3]) then with_field(flat, 'stale', '1') end
return with_field(flat, 'role', role_of(values[1]))

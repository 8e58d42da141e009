-- Look a session up because it is being used, and let it live on.
-- KEYS[1]  root of the office
-- ARGV     SHA-256 of its secret id (hex), milliseconds that it lives unused
-- Returns  {field, value, …} of it, empty when there is none, or its operator is gone.
local key, now, idle_ms = session_key(ARGV[1]), clock(), number_argument(ARGV[2], 'idle time')
local flat = redis.call('HGETALL', key)
if #flat == 0 then return {} end
local values = redis.call('HMGET', key, 'operator', 'ends_ms')
local left = tonumber(values[2]) - now
if left <= 0 or redis.call('EXISTS', operator_key(values[1])) == 0 then
  redis.call('DEL', key)
  return {}
end
redis.call('HSET', key, 'seen_ms', now)
redis.call('PEXPIRE', key, math.floor(math.min(left, idle_ms)))
return flat

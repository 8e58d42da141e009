-- Renew the leases of one worker, and expire some that are overdue.
-- KEYS[1]  root of the pool
-- ARGV     time to live (ms), then request ids
-- Returns  the ids whose lease is gone.
local now, ttl_ms = clock(), number_argument(ARGV[1], 'time to live')
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
local lost = {}
for i = 2, #ARGV do
  if redis.call('ZSCORE', LEASES, ARGV[i]) then
    redis.call('ZADD', LEASES, now + ttl_ms, ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
sweep(now, policy, 100)
wake_due(now, policy)
return lost

-- Return which of these requests are not settled: a failover of Redis may have lost their settlements.
-- KEYS[1]  root of the pool
-- ARGV     request ids
-- Returns  the ids that were never settled, or whose settlement is no longer stored.
local missing = {}
for _, id in ipairs(ARGV) do
  if redis.call('EXISTS', settled_key(id)) == 0 then missing[#missing + 1] = id end
end
return missing

-- Say which of these requests are not settled here: a failover forgets what was written last.
-- KEYS[1]  root of the pool
-- ARGV     request ids
-- Returns  those of them that were never settled, or of which that is forgotten.
local missing = {}
for _, id in ipairs(ARGV) do
  if redis.call('EXISTS', settled_key(id)) == 0 then missing[#missing + 1] = id end
end
return missing

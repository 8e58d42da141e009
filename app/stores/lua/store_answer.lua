-- Store an answer that its key may be given again; the key's oldest make room where all take too much.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {key, digest, ttl_ms, max_answers, max_bytes}
-- ARGV[2]  the sealed answer, of max_bytes at most
-- Returns  how many answers were evicted.
-- ans:of:<key> is a hash: digest -> "<stored at ms> <expires at ms> <bytes>".
-- Invariant: the answers of a key are max_answers at most, and max_bytes together.
local ask, now = cjson.decode(ARGV[1]), clock()
check(ask, { key = 'text', digest = 'text', ttl_ms = 'count', max_answers = 'count', max_bytes = 'count' })
local text = ARGV[2]
if type(text) ~= 'string' or #text > ask.max_bytes then refuse('the answer') end
if ask.ttl_ms < 1 or ask.max_answers < 1 then refuse('ttl_ms') end

local index = answers_key(ask.key)
local flat, present, bytes = redis.call('HGETALL', index), {}, #text
for i = 1, #flat, 2 do
  local stored, expires, size = string.match(flat[i + 1], '^(%d+) (%d+) (%d+)$')
  stored, expires, size = tonumber(stored) or 0, tonumber(expires) or 0, tonumber(size) or 0
  if flat[i] == ask.digest or expires <= now then
    redis.call('HDEL', index, flat[i])
  else
    bytes = bytes + size
    present[#present + 1] = { digest = flat[i], stored = stored, bytes = size }
  end
end
table.sort(present, function(a, b)
  if a.stored ~= b.stored then return a.stored < b.stored end
  return a.digest < b.digest
end)
local evicted = 0
while #present - evicted >= ask.max_answers or bytes > ask.max_bytes do
  evicted = evicted + 1
  local oldest = present[evicted]
  if not oldest then break end
  bytes = bytes - oldest.bytes
  redis.call('HDEL', index, oldest.digest)
  redis.call('DEL', answer_key(oldest.digest))
end
redis.call('SET', answer_key(ask.digest), text, 'PX', ask.ttl_ms)
redis.call('HSET', index, ask.digest, string.format('%.0f %.0f %d', now, now + ask.ttl_ms, #text))
if redis.call('PTTL', index) < ask.ttl_ms then redis.call('PEXPIRE', index, ask.ttl_ms) end
return evicted

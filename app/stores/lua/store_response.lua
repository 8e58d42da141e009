-- Store a response for later requests of its key; the oldest responses are evicted to make room.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {key, digest, ttl_ms, max_responses, max_bytes, max_pool_bytes}: the first two bounds are of the
--          key, the third of all keys of the pool
-- ARGV[2]  the sealed response, of max_bytes at most
-- Returns  how many responses were evicted; where MAX_EVICTIONS of the pool did not make room, none is stored.
-- ans:of:<key> is a hash: digest -> "<stored at ms> <expires at ms> <bytes>".
-- Invariant: a key has at most max_responses responses, of max_bytes in total; those of the pool have max_pool_bytes
-- in total. An expired response counts for the pool until its key stores another, or it is the oldest of the pool.
local RESPONSES = root .. 'ans:pool' -- zset: JSON [key, digest, bytes] of a stored response -> when it was stored, Unix ms
local RESPONSES_BYTES = root .. 'ans:bytes' -- their total size, with RESPONSE_OVERHEAD for each
local MAX_EVICTIONS = 1000 -- responses that one call evicts, in some milliseconds
local RESPONSE_OVERHEAD = 512 -- bytes that Redis needs in addition to the response: names and entries

local args, now = cjson.decode(ARGV[1]), clock()
check(args, { key = 'text', digest = 'text', ttl_ms = 'count', max_responses = 'count', max_bytes = 'count',
  max_pool_bytes = 'count' })
local text = ARGV[2]
if type(text) ~= 'string' or #text > args.max_bytes or #text + RESPONSE_OVERHEAD > args.max_pool_bytes then
  refuse('the response')
end
if args.ttl_ms < 1 or args.max_responses < 1 then refuse('ttl_ms') end

local function total_of_pool()
  local known = tonumber(redis.call('GET', RESPONSES_BYTES) or nil)
  if known and redis.call('EXISTS', RESPONSES) == 1 then return known end
  local total = 0
  for _, member in ipairs(redis.call('ZRANGE', RESPONSES, 0, -1)) do
    total = total + cjson.decode(member)[3] + RESPONSE_OVERHEAD
  end
  return total
end

local index, total = answers_key(args.key), total_of_pool()

local function forget(key, digest, size)
  redis.call('HDEL', answers_key(key), digest)
  redis.call('DEL', answer_key(digest))
  if redis.call('ZREM', RESPONSES, cjson.encode({ key, digest, size })) == 1 then
    total = total - size - RESPONSE_OVERHEAD
  end
end

local flat, present, bytes = redis.call('HGETALL', index), {}, #text
for i = 1, #flat, 2 do
  local stored, expires, size = string.match(flat[i + 1], '^(%d+) (%d+) (%d+)$')
  stored, expires, size = tonumber(stored) or 0, tonumber(expires) or 0, tonumber(size) or 0
  if flat[i] == args.digest or expires <= now then
    forget(args.key, flat[i], size)
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
while #present - evicted >= args.max_responses or bytes > args.max_bytes do
  evicted = evicted + 1
  local oldest = present[evicted]
  if not oldest then break end
  bytes = bytes - oldest.bytes
  forget(args.key, oldest.digest, oldest.bytes)
end

local of_pool, needed = 0, #text + RESPONSE_OVERHEAD
while total + needed > args.max_pool_bytes and of_pool < MAX_EVICTIONS do
  local oldest = redis.call('ZRANGE', RESPONSES, 0, 0)[1]
  if not oldest then break end
  forget(unpack(cjson.decode(oldest)))
  of_pool = of_pool + 1
end
if total + needed <= args.max_pool_bytes then
  redis.call('SET', answer_key(args.digest), text, 'PX', args.ttl_ms)
  redis.call('HSET', index, args.digest, string.format('%.0f %.0f %d', now, now + args.ttl_ms, #text))
  if redis.call('PTTL', index) < args.ttl_ms then redis.call('PEXPIRE', index, args.ttl_ms) end
  redis.call('ZADD', RESPONSES, now, cjson.encode({ args.key, args.digest, #text }))
  if redis.call('PTTL', RESPONSES) < args.ttl_ms then redis.call('PEXPIRE', RESPONSES, args.ttl_ms) end
  total = total + needed
end
local left_ms = redis.call('PTTL', RESPONSES)
if left_ms > 0 then redis.call('SET', RESPONSES_BYTES, string.format('%.0f', total), 'PX', left_ms) end
return evicted + of_pool

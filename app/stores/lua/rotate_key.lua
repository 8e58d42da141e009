-- Give an API key a new secret; the old one stays valid for a while, or ends immediately.
-- KEYS[1]  root of the pool
-- ARGV     key id, SHA-256 of the new secret (hex), how long the old one stays valid (ms)
-- Returns  {1, until when the old secret is valid (Unix ms; 0: no longer)}, or {0} when there is no such key.
-- At most two secrets of a key are valid: an even older one ends now. Sessions of the key's holder end.
local id, digest, overlap, now = ARGV[1], ARGV[2], number_argument(ARGV[3], 'overlap'), clock()
local key = api_key_key(id)
if redis.call('EXISTS', key) == 0 then return { 0 } end
local values = redis.call('HMGET', key, 'digest', 'former', 'former_until_ms')
local current, previous = values[1], values[2]
if current == digest then return { 1, tonumber(values[3]) or 0 } end -- repeated call: the reply was lost
if previous then redis.call('DEL', secret_key(previous)) end
local ends = 0
if current and overlap > 0 then
  ends = now + overlap
  redis.call('PEXPIRE', secret_key(current), overlap)
  redis.call('HSET', key, 'former', current)
else
  if current then redis.call('DEL', secret_key(current)) end
  redis.call('HDEL', key, 'former')
end
redis.call('DEL', key_sessions_key(id))
redis.call('SET', secret_key(digest), id)
redis.call('HSET', key, 'digest', digest, 'former_until_ms', ends, 'rotated_ms', now)
return { 1, ends }

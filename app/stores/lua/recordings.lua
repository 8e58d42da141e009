-- Recorded responses, which repeats of a request with the same Idempotency-Key receive.
-- idem:of:<key> has the time at which each recording of the key was last written. A running one is written at every
-- renewal of its lease, so the oldest ones have ended.
-- idem:pool has the time at which each recording of the pool expires, and idem:bytes their sizes. A size is stored as
-- long as its recording is in idem:pool; expired ones are removed when another recording of the pool is written.
local TOTAL = 'total' -- field of idem:sizes:<key> and of idem:bytes
local RECORDING_OVERHEAD = 1024 -- bytes that Redis needs in addition to the pieces, counted for the pool
local MAX_SWEPT = 100 -- expired recordings that one call removes, in some hundred microseconds

local function subtract_size(sizes, digest)
  local size = tonumber(redis.call('HGET', sizes, digest) or nil)
  if size then
    redis.call('HDEL', sizes, digest)
    redis.call('HINCRBY', sizes, TOTAL, -size)
  end
end

local function forget_size(key, digest)
  subtract_size(recorded_sizes_key(key), digest)
  subtract_size(POOL_RECORDED_SIZES, digest)
end

-- Adds a piece of *bytes* to the sizes of the key and of the pool.
local function add_size(key, digest, bytes)
  local sizes = recorded_sizes_key(key)
  redis.call('HINCRBY', sizes, digest, bytes)
  redis.call('HINCRBY', sizes, TOTAL, bytes)
  if redis.call('HEXISTS', POOL_RECORDED_SIZES, digest) == 0 then bytes = bytes + RECORDING_OVERHEAD end
  redis.call('HINCRBY', POOL_RECORDED_SIZES, digest, bytes)
  redis.call('HINCRBY', POOL_RECORDED_SIZES, TOTAL, bytes)
end

local function forget_recording(key, digest)
  local record = recording_key(digest)
  local run = redis.call('HGET', record, 'run')
  if run then redis.call('DEL', record, recorded_pieces_key(digest, run)) end
  redis.call('ZREM', recordings_key(key), digest)
  redis.call('ZREM', POOL_RECORDINGS, key .. '|' .. digest)
  forget_size(key, digest)
end

-- Forgets recordings of the pool that have expired, and returns how many.
local function sweep_recordings(now)
  local expired = redis.call('ZRANGEBYSCORE', POOL_RECORDINGS, '-inf', now, 'LIMIT', 0, MAX_SWEPT)
  for _, member in ipairs(expired) do forget_recording(string.match(member, '^(.*)|(.-)$')) end
  return #expired
end

-- Forgets the oldest recording that has ended, or whose lease has expired, and returns whether there was one.
local function evict_recording(key, except)
  for _, digest in ipairs(redis.call('ZRANGE', recordings_key(key), 0, -1)) do -- claim_recording bounds their number
    if digest ~= except and redis.call('HGET', recording_key(digest), 'state') ~= 'running' then
      forget_recording(key, digest)
      return true
    end
  end
  return false
end

-- Notes that the recording was written now and exists for *exists_ms*; *longest_ms* is the longest time that any
-- recording may exist after it was written.
local function touch_recording(key, digest, now, exists_ms, longest_ms)
  redis.call('ZADD', recordings_key(key), now, digest)
  redis.call('ZADD', POOL_RECORDINGS, now + exists_ms, key .. '|' .. digest)
  for _, name in ipairs({ recordings_key(key), recorded_sizes_key(key), POOL_RECORDINGS, POOL_RECORDED_SIZES }) do
    redis.call('PEXPIRE', name, longest_ms)
  end
end

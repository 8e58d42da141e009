-- Recorded responses, which repeats of a request with the same Idempotency-Key receive.
-- idem:of:<key> has the time at which each was last written: a running one is written at every renewal of its lease,
-- so those that have ended are the oldest.
local TOTAL = 'total' -- field of idem:sizes:<key>

local function forget_size(key, digest)
  local sizes = recorded_sizes_key(key)
  local size = tonumber(redis.call('HGET', sizes, digest) or nil)
  if size then
    redis.call('HDEL', sizes, digest)
    redis.call('HINCRBY', sizes, TOTAL, -size)
  end
end

local function forget_recording(key, digest)
  local record = recording_key(digest)
  local run = redis.call('HGET', record, 'run')
  if run then redis.call('DEL', record, recorded_pieces_key(digest, run)) end
  redis.call('ZREM', recordings_key(key), digest)
  forget_size(key, digest)
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

-- Notes that the recording was written just now; *lease_ms* and *retention_ms* are the longest that it may exist after it.
local function touch_recording(key, digest, now, lease_ms, retention_ms)
  redis.call('ZADD', recordings_key(key), now, digest)
  redis.call('PEXPIRE', recordings_key(key), lease_ms + retention_ms)
  redis.call('PEXPIRE', recorded_sizes_key(key), lease_ms + retention_ms)
end

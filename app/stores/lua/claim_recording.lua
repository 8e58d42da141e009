-- Claim an Idempotency-Key for a request, or find the request that has it; the oldest recordings are evicted to make room.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {key, digest, run, fingerprint, lease_ms, retention_ms, max_recordings}: `digest` identifies the API key,
--          the endpoint and the header's value, `run` this request, `fingerprint` its body
-- Returns  {run, state, fingerprint} of the request that has the claim, which may be this one; {'', 'full', ''} where
--          max_recordings of the key are running.
-- A claim expires after lease_ms unless record_response renews it.
-- Invariant: a key has at most max_recordings recordings.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { key = 'text', digest = 'text', run = 'text', fingerprint = 'text', lease_ms = 'count',
  retention_ms = 'count', max_recordings = 'count' })
if args.lease_ms < 1 or args.retention_ms < 1 or args.max_recordings < 1 then refuse('a bound') end

local record, index = recording_key(args.digest), recordings_key(args.key)
local known = redis.call('HMGET', record, 'run', 'state', 'fingerprint')
if known[1] then return known end

if redis.call('EXISTS', POOL_RECORDINGS) == 0 then redis.call('DEL', POOL_RECORDED_SIZES) end -- expires a moment later
sweep_recordings(now)
for _, digest in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now - args.retention_ms)) do
  forget_recording(args.key, digest)
end
forget_recording(args.key, args.digest) -- one whose lease has expired
while redis.call('ZCARD', index) >= args.max_recordings do
  if not evict_recording(args.key, args.digest) then return { '', 'full', '' } end
end
redis.call('HSET', record, 'run', args.run, 'state', 'running', 'fingerprint', args.fingerprint)
redis.call('PEXPIRE', record, args.lease_ms)
touch_recording(args.key, args.digest, now, args.lease_ms, args.lease_ms + args.retention_ms)
return { args.run, 'running', args.fingerprint }

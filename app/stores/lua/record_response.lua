-- Record a piece of the response to a request that holds an Idempotency-Key, renew its claim, or end it.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {key, digest, run, at, state, ended, lease_ms, retention_ms, max_bytes, max_pool_bytes}: `at` is the
--          number of pieces before this one; `state` is running, stored, too_large (no piece is retained) or released
--          (the request may be repeated); `ended` whether the response is complete; max_bytes bounds all recordings
--          of the key together, max_pool_bytes those of the pool, each with RECORDING_OVERHEAD
-- ARGV[2]  the sealed piece; '' for none
-- Returns  the recorded state: too_large also if evicting other recordings of the key did not make room; pool_full
--          (recorded as too_large) if the pool has no room, for which recordings of other keys are not evicted; 'lost'
--          if the request no longer holds the claim, or earlier pieces are missing, which ends the claim.
-- Invariant: the pieces of a key have at most max_bytes in total, those of the pool max_pool_bytes.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { key = 'text', digest = 'text', run = 'text', at = 'count', state = 'text', ended = 'flag',
  lease_ms = 'count', retention_ms = 'count', max_bytes = 'count', max_pool_bytes = 'count' })
local piece, state = ARGV[2], args.state
if type(piece) ~= 'string' then refuse('the piece') end
if args.lease_ms < 1 or args.retention_ms < 1 then refuse('a time') end
if state ~= 'running' and state ~= 'stored' and state ~= 'too_large' and state ~= 'released' then refuse('state') end

local record, pieces = recording_key(args.digest), recorded_pieces_key(args.digest, args.run)
local sizes, is_pool_full = recorded_sizes_key(args.key), false
local known = redis.call('HMGET', record, 'run', 'state')
if known[1] ~= args.run then return 'lost' end
if state == 'released' then
  forget_recording(args.key, args.digest)
  return state
end

if known[2] == 'too_large' then state = 'too_large' end -- the worker lost the reply about it
if state ~= 'too_large' and redis.call('LLEN', pieces) < args.at then -- a failover of Redis has lost some
  forget_recording(args.key, args.digest)
  return 'lost'
end

local function is_over(totals, max) return tonumber(redis.call('HGET', totals, TOTAL) or 0) > max end

if piece ~= '' and state ~= 'too_large' and redis.call('LLEN', pieces) == args.at then
  sweep_recordings(now)
  add_size(args.key, args.digest, #piece)
  while is_over(sizes, args.max_bytes) do
    if not evict_recording(args.key, args.digest) then
      state = 'too_large'
      break
    end
  end
  if state ~= 'too_large' and is_over(POOL_RECORDED_SIZES, args.max_pool_bytes) then
    state, is_pool_full = 'too_large', true
  end
  if state ~= 'too_large' then redis.call('RPUSH', pieces, piece) end
end
if state == 'too_large' then
  redis.call('DEL', pieces)
  forget_size(args.key, args.digest)
end
local exists_ms = args.ended and args.retention_ms or args.lease_ms
redis.call('HSET', record, 'state', state)
redis.call('PEXPIRE', record, exists_ms)
redis.call('PEXPIRE', pieces, exists_ms)
touch_recording(args.key, args.digest, now, exists_ms, args.lease_ms + args.retention_ms)
return is_pool_full and 'pool_full' or state

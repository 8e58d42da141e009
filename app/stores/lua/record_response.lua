-- Record a piece of the response to a request that holds an Idempotency-Key, renew its claim, or end it.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {key, digest, run, at, state, ended, lease_ms, retention_ms, max_bytes}: `at` is the number of pieces before
--          this one; `state` is running, stored, too_large (no piece is retained) or released (the request may be
--          repeated); `ended` whether the response is complete; max_bytes bounds all recordings of the key together
-- ARGV[2]  the sealed piece; '' for none
-- Returns  the state that is recorded: too_large also where evicting others did not make room; 'lost' where the request does
--          not hold the claim any more.
-- Invariant: the pieces of a key are max_bytes together.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { key = 'text', digest = 'text', run = 'text', at = 'count', state = 'text', ended = 'flag',
  lease_ms = 'count', retention_ms = 'count', max_bytes = 'count' })
local piece, state = ARGV[2], args.state
if type(piece) ~= 'string' then refuse('the piece') end
if args.lease_ms < 1 or args.retention_ms < 1 then refuse('a time') end
if state ~= 'running' and state ~= 'stored' and state ~= 'too_large' and state ~= 'released' then refuse('state') end

local record, pieces = recording_key(args.digest), recorded_pieces_key(args.digest, args.run)
local sizes = recorded_sizes_key(args.key)
if redis.call('HGET', record, 'run') ~= args.run then return 'lost' end
if state == 'released' then
  forget_recording(args.key, args.digest)
  return state
end

local function is_over() return tonumber(redis.call('HGET', sizes, TOTAL) or 0) > args.max_bytes end

if piece ~= '' and state ~= 'too_large' and redis.call('LLEN', pieces) == args.at then
  redis.call('HINCRBY', sizes, args.digest, #piece)
  redis.call('HINCRBY', sizes, TOTAL, #piece)
  while is_over() do
    if not evict_recording(args.key, args.digest) then
      state = 'too_large'
      break
    end
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
touch_recording(args.key, args.digest, now, args.lease_ms, args.retention_ms)
return state

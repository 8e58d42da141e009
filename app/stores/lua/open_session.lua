-- Open a session of an operator.
-- KEYS[1]  root of the system keys
-- ARGV[1]  JSON {digest (of the secret id), id (public), operator, address, agent, idle_ms, life_ms, most,
--          method (how they signed in), identity (SHA-256 (hex) of the one that another service verified, or '')}
-- Returns  'opened', 'unknown' when there is no such operator or the identity is not theirs, or 'suspended'. The oldest
--          sessions above `most` end.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { digest = 'text', id = 'text', operator = 'text', address = 'text', agent = 'text', method = 'text',
  identity = 'text', idle_ms = 'count', life_ms = 'count', most = 'count' })
if redis.call('EXISTS', operator_key(args.operator)) == 0 then return 'unknown' end
if args.identity ~= '' and redis.call('GET', identity_key(args.identity)) ~= args.operator then return 'unknown' end
if is_suspended(args.operator) then return 'suspended' end
local ends = now + args.life_ms
redis.call('HSET', session_key(args.digest), 'id', args.id, 'operator', args.operator, 'address', args.address,
  'agent', args.agent, 'method', args.method, 'opened_ms', now, 'seen_ms', now, 'ends_ms', ends)
redis.call('HSET', operator_key(args.operator), 'signed_in_ms', now)
redis.call('PEXPIRE', session_key(args.digest), args.idle_ms)
local index = sessions_key(args.operator)
redis.call('ZADD', index, ends, args.digest)
for _, digest in ipairs(redis.call('ZRANGE', index, 0, -(args.most + 1))) do
  redis.call('DEL', session_key(digest))
  redis.call('ZREM', index, digest)
end
redis.call('PEXPIREAT', index, ends)
return 'opened'

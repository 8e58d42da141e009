-- Create an operator.
-- KEYS[1]  root of the system keys
-- ARGV[1]  JSON {name, role, password (its hash, '' without one), start (SHA-256 (hex) of the first-start token, or ''),
--          invitation (SHA-256 (hex) of an invitation, whose role replaces `role`, or ''),
--          identity (SHA-256 (hex) of an identity that another service verifies, or ''), method (how they sign in),
--          by_rules (whether rules assign the role at each sign-in), facts and rules (see assign_role)}
-- Returns  'made', 'taken' when there is one of that name, 'linked' when the identity is another operator's, 'closed'
--          when the token or invitation is spent, expired or wrong, or a token is used though there are operators.
-- Invariant: a token, an invitation and an identity make one operator each.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { name = 'text', role = 'text', password = 'text', start = 'text', invitation = 'text', identity = 'text',
  method = 'text', by_rules = 'flag', facts = 'blob', rules = 'text' })
local key, role = operator_key(args.name), args.role
if redis.call('EXISTS', key) == 1 then
  local values = redis.call('HMGET', key, 'password', 'identity')
  local is_repeated = (values[1] or '') == args.password and (values[2] or '') == args.identity
  return is_repeated and 'made' or 'taken' -- equal salted hashes: a repeated call
end
if args.identity ~= '' and redis.call('EXISTS', identity_key(args.identity)) == 1 then return 'linked' end
if args.start ~= '' and (redis.call('GET', START) ~= args.start or redis.call('SCARD', OPERATORS) > 0) then
  return 'closed'
end
if args.invitation ~= '' then
  role = redis.call('HGET', invitation_key(args.invitation), 'role')
  if not role then return 'closed' end
  remove_invitation(args.invitation)
end
redis.call('DEL', START) -- no longer needed
redis.call('HSET', key, 'name', args.name, 'role', role, 'created_ms', now)
if args.password ~= '' then redis.call('HSET', key, 'password', args.password, 'password_ms', now) end
if args.identity ~= '' then
  redis.call('HSET', key, 'identity', args.identity, 'method', args.method, 'by_rules', args.by_rules and '1' or '0')
  if args.by_rules then redis.call('HSET', key, 'facts', args.facts, 'rules', args.rules) end
  redis.call('SET', identity_key(args.identity), args.name)
end
redis.call('SADD', OPERATORS, args.name)
return 'made'

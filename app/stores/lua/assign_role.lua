-- Give an operator the role that rules assign, at a sign-in, or where the settings have other rules than at the last one.
-- KEYS[1]  root of the system keys
-- ARGV[1]  JSON {name, role ('' for none: the operator is suspended), rules (fingerprint of the rules), facts (what rules
--          match, as digests with spaces between, from a sign-in: it may give a higher role, or end a suspension; null:
--          those that are stored)}
-- Returns  'assigned', 'unknown', or 'last': the last owner stays one.
-- Invariant: without a sign-in no one gets more rights. A suspended operator has no session, and their admin tokens do
--          not work.
local args = check(cjson.decode(ARGV[1]), { name = 'text', role = 'text', rules = 'text', facts = '?blob' })
local key, role = operator_key(args.name), args.role
if redis.call('SISMEMBER', OPERATORS, args.name) == 0 then return 'unknown' end
if redis.call('HGET', key, 'by_rules') ~= '1' then return 'assigned' end -- disconnected meanwhile
if args.facts then redis.call('HSET', key, 'facts', args.facts) end
if role == '' then
  suspend(args.name)
elseif args.facts then
  redis.call('HDEL', key, 'suspended')
elseif ROLE_RANKS[role] > ROLE_RANKS[role_of(args.name)] then
  role = role_of(args.name)
end
if role ~= '' and role ~= 'owner' and is_last_owner(args.name) then return 'last' end
redis.call('HSET', key, 'rules', args.rules)
if role ~= '' then give_role(args.name, role) end
return 'assigned'

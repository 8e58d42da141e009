-- Give an operator another role, who is not suspended then. The invitations of one who is no owner any more end.
-- KEYS[1]  root of the system keys
-- ARGV     name, role (owner | admin | viewer)
-- Returns  'changed', 'unknown', or 'last': the last owner stays one.
local name, role = ARGV[1], ARGV[2]
if redis.call('SISMEMBER', OPERATORS, name) == 0 then return 'unknown' end
if role ~= 'owner' and is_last_owner(name) then return 'last' end
redis.call('HDEL', operator_key(name), 'suspended')
give_role(name, role)
return 'changed'

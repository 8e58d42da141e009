-- Give an operator another role, which ends a suspension. If they are no longer an owner, their invitations end.
-- KEYS[1]  root of the system keys
-- ARGV     name, role (owner | admin | viewer)
-- Returns  'changed', 'unknown', or 'last': the last owner stays one.
local name, role = ARGV[1], ARGV[2]
if redis.call('SISMEMBER', OPERATORS, name) == 0 then return 'unknown' end
if role ~= 'owner' and is_last_owner(name) then return 'last' end
redis.call('HDEL', operator_key(name), 'suspended')
give_role(name, role)
return 'changed'

-- Remove the identity that another service verifies from an operator, and end the sessions that began with it. Rules no
-- longer assign the role.
-- KEYS[1]  root of the system keys
-- ARGV     name
-- Returns  how many sessions ended, 'unknown', 'none' when no identity is connected, or 'last' when the operator has no
--          password.
-- Invariant: every operator has a way to sign in.
local name = ARGV[1]
if redis.call('SISMEMBER', OPERATORS, name) == 0 then return 'unknown' end
local values = redis.call('HMGET', operator_key(name), 'identity', 'password')
if not values[1] then return 'none' end
if not values[2] then return 'last' end
redis.call('DEL', identity_key(values[1]))
redis.call('HDEL', operator_key(name), 'identity', 'method', 'by_rules', 'facts', 'rules')
return end_external_sessions(name, '')

-- Remove an operator, and end their sessions.
-- KEYS[1]  root of the office
-- ARGV     name
-- Returns  'removed', 'unknown', or 'last' when nobody would be left.
local name = ARGV[1]
if redis.call('SISMEMBER', OPERATORS, name) == 0 then return 'unknown' end
if redis.call('SCARD', OPERATORS) == 1 then return 'last' end
end_sessions(name, function() return true end)
redis.call('SREM', OPERATORS, name)
redis.call('DEL', operator_key(name))
return 'removed'

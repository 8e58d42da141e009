-- Remove an operator, and end their sessions, invitations, and the admin tokens that they made.
-- KEYS[1]  root of the system keys
-- ARGV     name
-- Returns  'removed', 'unknown', or 'last': the last owner cannot be removed.
local name = ARGV[1]
if redis.call('SISMEMBER', OPERATORS, name) == 0 then return 'unknown' end
if is_last_owner(name) then return 'last' end
end_sessions(name, function() return true end)
local tokens = redis.call('HGETALL', TOKENS)
for i = 1, #tokens, 2 do
  local values = redis.call('HMGET', token_key(tokens[i + 1]), 'by', 'operator')
  if values[1] == name or values[2] == name then remove_token(tokens[i], tokens[i + 1]) end
end
remove_invitations_by(name)
local identity = redis.call('HGET', operator_key(name), 'identity')
if identity then redis.call('DEL', identity_key(identity)) end
redis.call('SREM', OPERATORS, name)
redis.call('DEL', operator_key(name))
return 'removed'

-- Create an operator.
-- KEYS[1]  root of the system keys
-- ARGV     name, password hash, SHA-256 (hex) of the first-start token, or '' when an operator creates another,
--          role (owner | admin | viewer)
-- Returns  'made', 'taken' when there is one of that name, 'closed' when the token is spent, expired or
--          wrong, or there are operators already. Invariant: a token makes one operator.
local name, password, token, role = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local key = operator_key(name)
local known = redis.call('HGET', key, 'password')
if known then return known == password and 'made' or 'taken' end -- the hash has a salt: a repeated call
if token ~= '' then
  if redis.call('GET', START) ~= token or redis.call('SCARD', OPERATORS) > 0 then return 'closed' end
end
redis.call('DEL', START) -- no longer needed
redis.call('HSET', key, 'name', name, 'password', password, 'created_ms', clock(), 'password_ms', clock(),
  'role', role)
redis.call('SADD', OPERATORS, name)
return 'made'

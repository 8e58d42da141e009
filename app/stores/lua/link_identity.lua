-- Link an identity to an existing operator, in place of the one before, whose sessions end. Rules that assign the role
-- go on doing so: an operator could escape them otherwise.
-- KEYS[1]  root of the system keys
-- ARGV     name, identity (SHA-256 (hex)), method, SHA-256 (hex) of the session to spare or ''
-- Returns  'linked', 'taken' when it is another operator's, or 'unknown'.
local name, identity, method, spared = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('SISMEMBER', OPERATORS, name) == 0 then return 'unknown' end
local owner = redis.call('GET', identity_key(identity))
if owner and owner ~= name then return 'taken' end
local former = redis.call('HGET', operator_key(name), 'identity')
if former and former ~= identity then
  redis.call('DEL', identity_key(former))
  end_external_sessions(name, spared)
end
redis.call('SET', identity_key(identity), name)
redis.call('HSET', operator_key(name), 'identity', identity, 'method', method)
return 'linked'

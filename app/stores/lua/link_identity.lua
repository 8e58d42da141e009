-- Link an identity to an existing operator in place of the previous one, whose sessions end. If rules assign the role,
-- they continue to do so: otherwise an operator could escape them.
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

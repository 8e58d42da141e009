-- Store a new API key.
-- KEYS[1]  root of the pool
-- ARGV     key id, its name, SHA-256 of its secret (hex), JSON {field: value} of its record
-- Returns  1 stored, 0 when another key has that name, -1 when its team does not exist, -2 when another key
--          has that secret.
local id, name, digest, fields = ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4])
check(fields, {})
check_each(fields, 'scalar', 'fields')
local owner = redis.call('HGET', KEY_NAMES, name)
if owner and owner ~= id then return 0 end
if fields.team and fields.team ~= '' and redis.call('EXISTS', team_key(fields.team)) == 0 then return -1 end
local holder = redis.call('GET', secret_key(digest))
if holder and holder ~= id then return -2 end
for field, value in pairs(fields) do redis.call('HSET', api_key_key(id), field, storable(value)) end
redis.call('HSETNX', api_key_key(id), 'created_ms', clock())
redis.call('HSET', api_key_key(id), 'digest', digest)
redis.call('SET', secret_key(digest), id)
redis.call('HSET', KEY_NAMES, name, id)
return 1

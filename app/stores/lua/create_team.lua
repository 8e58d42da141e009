-- Create a team.
-- KEYS[1]  root of the pool
-- ARGV     its name, JSON {field: value} of its record
-- Returns  1 created, 0 when there is a team of that name.
local name, fields = ARGV[1], cjson.decode(ARGV[2])
check(fields, {})
check_each(fields, 'scalar', 'fields')
local key = team_key(name)
if redis.call('EXISTS', key) == 1 then return 0 end
for field, value in pairs(fields) do redis.call('HSET', key, field, storable(value)) end
redis.call('HSET', key, 'created_ms', clock())
redis.call('SADD', TEAMS, name)
return 1

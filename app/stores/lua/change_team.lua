-- Change fields of a team's record; its limits and usage stay.
-- KEYS[1]  root of the pool
-- ARGV     its name, JSON {field: value}
-- Returns  1 changed, 0 when there is no such team.
local fields = cjson.decode(ARGV[2])
check(fields, {})
check_each(fields, 'scalar', 'fields')
local key = team_key(ARGV[1])
if redis.call('EXISTS', key) == 0 then return 0 end
for field, value in pairs(fields) do redis.call('HSET', key, field, storable(value)) end
return 1

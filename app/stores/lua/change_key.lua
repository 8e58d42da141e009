-- Change fields of an API key's record; its secret, limits and usage stay.
-- KEYS[1]  root of the pool
-- ARGV     key id, JSON {field: value}
-- Returns  1 changed, 0 when there is no such key, -1 when its new team does not exist.
-- Sessions of the holder of a disabled key end.
-- If the team changes, requests in flight still settle under the limits that admitted them.
local fields = cjson.decode(ARGV[2])
check(fields, {})
check_each(fields, 'scalar', 'fields')
local key = api_key_key(ARGV[1])
if redis.call('EXISTS', key) == 0 then return 0 end
if fields.team and fields.team ~= '' and redis.call('EXISTS', team_key(fields.team)) == 0 then return -1 end
for field, value in pairs(fields) do redis.call('HSET', key, field, storable(value)) end
if fields.state == 'disabled' then redis.call('DEL', key_sessions_key(ARGV[1])) end
return 1

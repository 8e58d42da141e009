-- Remove an API key, its secrets and the counters of its limits. Its usage stays in the ledger.
-- KEYS[1]  root of the pool
-- ARGV     key id
-- Returns  1 removed, 0 when there is no such key.
-- Its open requests settle as usual; limits that were removed are ignored.
local id = ARGV[1]
local key = api_key_key(id)
local values = redis.call('HMGET', key, 'name', 'limits', 'digest', 'former')
if not values[1] then return 0 end
for _, limit in ipairs(cjson.decode(values[2] or '[]')) do redis.call('DEL', limit_key(limit.id)) end
for i = 3, 4 do
  if values[i] then redis.call('DEL', secret_key(values[i])) end
end
redis.call('HDEL', KEY_NAMES, values[1])
remember_name(id, values[1], clock())
redis.call('HDEL', LAST_USED, id)
redis.call('DEL', key, key_sessions_key(id))
return 1

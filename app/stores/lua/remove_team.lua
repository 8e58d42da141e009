-- Remove a team that has no keys, and the counters of its limits. Its usage stays in the ledger.
-- KEYS[1]  root of the pool
-- ARGV     its name
-- Returns  {1} removed, {0} when there is no such team, {-1, number of its keys} when it has keys.
-- Open requests of keys that were in it settle as usual; limits that were removed are ignored.
local name = ARGV[1]
local key = team_key(name)
if redis.call('EXISTS', key) == 0 then return { 0 } end
local members = 0
for _, id in ipairs(redis.call('HVALS', KEY_NAMES)) do
  if redis.call('HGET', api_key_key(id), 'team') == name then members = members + 1 end
end
if members > 0 then return { -1, members } end
for _, limit in ipairs(cjson.decode(redis.call('HGET', key, 'limits') or '[]')) do
  redis.call('DEL', limit_key(limit.id))
end
redis.call('SREM', TEAMS, name)
redis.call('DEL', key)
return { 1 }

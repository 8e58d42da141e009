-- Read the consistent part of a pool: its settings, accounts, keys, the counters of their limits, the open
-- requests and the last id of the ledger.
-- KEYS[1]  root of the pool
-- ARGV     names of keys, without the root, that are returned as well if they exist
-- Returns  {now, {last id of the ledger or '', entries ever added or '', last deleted id or ''},
--          {{name, type, time to live (ms, -1 none), value as Redis returns it}, …}}
-- It reads every account, key, limit and open request, about 3 µs each, but neither totals nor ledger entries.
local now, records, seen = clock(), {}, {}

local READ = {
  hash = function(key) return redis.call('HGETALL', key) end,
  set = function(key) return redis.call('SMEMBERS', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  string = function(key) return redis.call('GET', key) end,
}

local function read(key)
  if seen[key] then return end
  seen[key] = true
  local kind = redis.call('TYPE', key).ok
  if READ[kind] then
    records[#records + 1] = { string.sub(key, #root + 1), kind, redis.call('PTTL', key), READ[kind](key) }
  end
end

local function read_limits(owner)
  for _, limit in ipairs(cjson.decode(redis.call('HGET', owner, 'limits') or '[]')) do read(limit_key(limit.id)) end
end

for _, key in ipairs({ POOL, NAMES, KEY_NAMES, TEAMS, LEASES, OUT, root .. 'prices', ROUTES }) do read(key) end
for _, id in ipairs(redis.call('HVALS', NAMES)) do read(account_key(id)) end
read_limits(POOL)
for _, name in ipairs(redis.call('SMEMBERS', TEAMS)) do
  read(team_key(name))
  read_limits(team_key(name))
end
for _, id in ipairs(redis.call('HVALS', KEY_NAMES)) do
  read(api_key_key(id))
  read_limits(api_key_key(id))
  for _, digest in ipairs(redis.call('HMGET', api_key_key(id), 'digest', 'former')) do
    if digest then read(secret_key(digest)) end
  end
end
for _, id in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do read(request_key(id)) end
for _, name in ipairs(ARGV) do read(root .. name) end

local ledger = { '', '', '' }
if redis.call('EXISTS', LEDGER) == 1 then
  local info, flat = {}, redis.call('XINFO', 'STREAM', LEDGER)
  for i = 1, #flat, 2 do info[flat[i]] = flat[i + 1] end
  ledger = { info['last-generated-id'], tostring(info['entries-added'] or ''), info['max-deleted-entry-id'] or '' }
end
return { now, ledger, records }

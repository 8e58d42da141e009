-- Find the API key of a secret or an id, and return it with the settings of its pool.
-- KEYS[1]  root of the pool
-- ARGV     SHA-256 of the secret, hex; or anything, and the id of the key
-- Returns  {now, key id or '', key hash (flat), pool hash (flat)}. The hash of a key with a team ends with the fields
--          team_state ('' where there is no such team) and team_limits of that.
local id = ARGV[2] or redis.call('GET', secret_key(ARGV[1])) or ''
local record = id ~= '' and redis.call('HGETALL', api_key_key(id)) or {}
local pool = redis.call('HMGET', POOL, 'settings', 'zone', 'limits', 'prices', 'routes')
for i = 1, #record, 2 do
  if record[i] == 'team' then
    if record[i + 1] ~= '' then
      local team, size = redis.call('HMGET', team_key(record[i + 1]), 'state', 'limits'), #record
      record[size + 1], record[size + 2], record[size + 3], record[size + 4] =
        'team_state', team[1] or '', 'team_limits', team[2] or '[]'
    end
    break
  end
end
return { clock(), id, record, pool }

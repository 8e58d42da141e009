-- Callers: an API key with its team and the settings of its pool.

-- Return the hash of a key (flat), ended by the fields team_state ('' where there is no such team) and team_limits if it
-- has a team; and the fields of its pool that a request needs: settings, zone, limits, prices, routes.
local function read_caller(id)
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
  return record, pool
end

-- Returns a digest of what read_caller returned, which changes with any part.
local function caller_fingerprint(record, pool)
  return redis.sha1hex(cjson.encode({ record, pool }))
end

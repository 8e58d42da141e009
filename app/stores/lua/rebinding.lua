-- Rebinding: a new account takes the place of removed accounts of the same name where model routes and API keys name them.

-- Returns the set of ids of removed accounts that were last called *name*.
local function former_ids(name)
  local ids = {}
  for _, member in ipairs(redis.call('ZRANGE', FORMER, 0, -1)) do
    local id, last_name = string.match(member, '^(%S+) (.*)$')
    if last_name == name and redis.call('EXISTS', account_key(id)) == 0 then ids[id] = true end
  end
  return ids
end

-- Returns *list*, JSON of account ids, with *id* once in place of those in *former*; nothing if there are none.
local function replaced(list, former, id)
  local ids, known, is_changed = {}, {}, false
  for _, each in ipairs(cjson.decode(list)) do
    if former[each] then each, is_changed = id, true end
    if not known[each] then ids[#ids + 1] = each end
    known[each] = true
  end
  return is_changed and cjson.encode(ids) or nil
end

local ID_LIST = '("accounts":%s*)(%[[%w_:",%s]*"%])' -- of a route's step: ids only, unlike a list in the fields it sets

-- Makes model routes and API keys that name a removed account called *name* name *id*. The caller counts the change.
local function take_former_places(id, name)
  local former = former_ids(name)
  if not next(former) then return end
  local routes = redis.call('HGETALL', ROUTES)
  for i = 1, #routes, 2 do
    local text = string.gsub(routes[i + 1], ID_LIST, function(start, list)
      local ids = replaced(list, former, id)
      return ids and start .. ids
    end)
    if text ~= routes[i + 1] then redis.call('HSET', ROUTES, routes[i], text) end
  end
  for _, key_id in ipairs(redis.call('HVALS', KEY_NAMES)) do
    local ids = replaced(redis.call('HGET', api_key_key(key_id), 'accounts') or '[]', former, id)
    if ids then redis.call('HSET', api_key_key(key_id), 'accounts', ids) end
  end
end

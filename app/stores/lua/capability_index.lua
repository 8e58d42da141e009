-- Offers: which accounts can serve which models. See accounts.lua.

local function leave_offer(id)
  local offer = redis.call('HGET', account_key(id), 'offer')
  if not offer then return end
  redis.call('ZREM', ready_key(offer), id)
  redis.call('SREM', members_key(offer), id)
  if redis.call('SCARD', members_key(offer)) > 0 then return end
  for _, model in ipairs(redis.call('SMEMBERS', models_key(offer))) do
    redis.call('SREM', offering_key(model), offer)
  end
  redis.call('DEL', models_key(offer))
end

local MAX_INDEXED = 2000 -- models of a list: an index of more takes Redis too long

-- Returns *models* of account *id* with its own names for them; none if there are none.
local function with_own_names(id, models)
  local settings = redis.call('HGET', account_key(id), 'settings')
  if #models > 0 and settings and settings ~= '' then
    for name in pairs(cjson.decode(settings).model_names or {}) do models[#models + 1] = name end
  end
  return models
end

-- Returns the models that an account of any model has listed, with its own names; empty: what it serves is not known.
local function listed_models(id)
  local models = cjson.decode(redis.call('HGET', account_key(id), 'listed') or '[]')
  return #models > MAX_INDEXED and {} or with_own_names(id, models)
end

-- Returns the offer of account *id* and the names under which it is found. An account that is not restricted to *models*
-- offers what it has listed, and any model while that is unknown.
local function offer_of(id, models)
  local offer = redis.call('HGET', account_key(id), 'offer')
  if #models > 0 then return offer, models end
  local prefix, listed = string.match(offer, '^%a+:[^:]+:'), listed_models(id)
  local _, kind = parts_of_offer(offer)
  if #listed == 0 or UNLISTED_KINDS[kind] then return prefix .. 'any', { '*' } end
  table.sort(listed)
  local digest = string.sub(redis.sha1hex(table.concat(listed, '\n')), 1, 12)
  listed[#listed + 1] = UNLISTED
  return prefix .. 'listed-' .. digest, listed
end

-- *models*: those that the account is restricted to; empty: it takes any model.
local function join_offer(id, models)
  local offer, names = offer_of(id, models)
  redis.call('HSET', account_key(id), 'offer', offer)
  redis.call('SADD', members_key(offer), id)
  if redis.call('EXISTS', models_key(offer)) == 1 then return end
  for _, name in ipairs(names) do
    redis.call('SADD', offering_key(name), offer)
    redis.call('SADD', models_key(offer), name)
  end
end

-- Offers what account *id* lists now. Returns whether that has changed: then it competes with other accounts.
local function relist(id)
  if #cjson.decode(redis.call('HGET', account_key(id), 'models') or '[]') > 0 then return false end
  if offer_of(id, {}) == redis.call('HGET', account_key(id), 'offer') then return false end
  leave_offer(id)
  join_offer(id, {})
  return true
end

-- Processes read the model routes of the pool again: the accounts of a group have changed.
local function touch_routes()
  if redis.call('HEXISTS', POOL, 'routes') == 1 then redis.call('HINCRBY', POOL, 'routes', 1) end
end

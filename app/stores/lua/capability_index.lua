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

-- models empty: the account takes any model.
local function join_offer(id, models)
  local offer = redis.call('HGET', account_key(id), 'offer')
  redis.call('SADD', members_key(offer), id)
  if #models == 0 then models = { '*' } end
  for _, model in ipairs(models) do
    redis.call('SADD', offering_key(model), offer)
    redis.call('SADD', models_key(offer), model)
  end
end

-- Processes read the model routes of the pool again: the accounts of a group have changed.
local function touch_routes()
  if redis.call('HEXISTS', POOL, 'routes') == 1 then redis.call('HINCRBY', POOL, 'routes', 1) end
end

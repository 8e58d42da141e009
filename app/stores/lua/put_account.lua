-- Add an account, or change its settings; its health (in flight, windows) stays. A new account takes the place of
-- removed ones of its name where model routes and API keys name them.
-- KEYS[1]  root of the pool
-- ARGV     account id, its name, JSON {field: value} of its settings, JSON list of its models
-- Returns  its new version, or -1 when another account has that name.
local id, name, fields, models, now = ARGV[1], ARGV[2], cjson.decode(ARGV[3]), cjson.decode(ARGV[4]), clock()
check(fields, { offer = '?text', weight = '?number', cap = '?number', group = '?number' })
check_each(fields, 'scalar', 'fields')
if not IS_KIND.list(models) then refuse('models') end
check_each(models, 'text', 'models')
for _, name_of_field in ipairs({ 'offer', 'weight', 'cap' }) do
  if fields[name_of_field] == nil and redis.call('HEXISTS', account_key(id), name_of_field) == 0 then refuse(name_of_field) end
end
if fields.offer and not parts_of_offer(fields.offer) then refuse('offer') end
local owner = redis.call('HGET', NAMES, name)
if owner and owner ~= id then return -1 end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
leave_offer(id)
local previous = redis.call('HMGET', account_key(id), 'name', 'group')
if previous[1] and previous[1] ~= name then redis.call('HDEL', NAMES, previous[1]) end
for field, value in pairs(fields) do redis.call('HSET', account_key(id), field, storable(value)) end
redis.call('HSETNX', account_key(id), 'state', 'active')
redis.call('HSETNX', account_key(id), 'since_ms', now)
redis.call('HSETNX', account_key(id), 'created_ms', now)
redis.call('HSETNX', account_key(id), 'in_flight', 0)
redis.call('HSET', NAMES, name, id)
if not previous[1] then take_former_places(id, name) end
if not previous[1] or (tonumber(previous[2]) or 0) ~= (tonumber(redis.call('HGET', account_key(id), 'group')) or 0) then
  touch_routes()
end
join_offer(id, models)
forget_missing(id)
redis.call('HDEL', account_key(id), 'streak', 'unproven') -- the operator may have corrected the cause of its failures
rejoin(read_account(id, now), policy)
return redis.call('HINCRBY', account_key(id), 'version', 1)

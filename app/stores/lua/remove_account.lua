-- Remove an account. Its open requests end normally, and the ledger has them under its id.
-- KEYS[1]  root of the pool
-- ARGV     account id, '1' to remove it although keys are bound to it
-- Returns  the names of the usable keys that are bound to it and prevented the removal; empty: removed.
local id, forced, now = ARGV[1], ARGV[2] == '1', clock()

local function bound_keys()
  local bound = {}
  for _, key_id in ipairs(redis.call('HVALS', KEY_NAMES)) do
    local key = redis.call('HMGET', api_key_key(key_id), 'accounts', 'state', 'expires_ms', 'name')
    local expires_ms = tonumber(key[3]) or 0
    local usable = key[2] == 'active' and (expires_ms == 0 or expires_ms > now)
    if usable and string.find(key[1] or '', '"' .. id .. '"', 1, true) then bound[#bound + 1] = key[4] end
  end
  table.sort(bound)
  return bound
end

local name = redis.call('HGET', account_key(id), 'name')
if not name then return {} end
local bound = forced and {} or bound_keys()
if #bound > 0 then return bound end
leave_offer(id)
redis.call('HDEL', NAMES, name)
remember_name(id, name, now)
touch_routes()
redis.call('ZREM', OUT, id)
redis.call('SREM', SOFT, id)
redis.call('DEL', account_key(id), OUT_JSON)
return {}

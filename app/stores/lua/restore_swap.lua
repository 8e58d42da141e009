-- Replace a pool by its staged copy in one step.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {run, backup, last_id, replace}: the run that staged it under restore:<run>:, with the
--          names in restore:<run> and the names to delete in restore-old:<run>; the backup's id;
--          the ledger's last id when the latter was read; whether a pool that is not empty may be replaced
-- Returns  'done'; 'occupied': the pool is not empty, and replace is false; 'taken': another run has begun.
-- Requests that were open in the copy have no worker here. Their leases expire: they are charged their bounds until
-- a late settlement corrects that. Versions become the current time, so that process-local caches of the old pool
-- are invalidated.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { run = 'text', backup = 'text', last_id = 'text', replace = '?flag' })
local staged, old = root .. 'restore:' .. args.run, root .. 'restore-old:' .. args.run
if redis.call('HGET', POOL, 'restored_by') == args.run then return 'done' end -- the reply was lost
if redis.call('GET', root .. 'restore-by') ~= args.run then return 'taken' end

local function is_occupied()
  return redis.call('HLEN', NAMES) + redis.call('HLEN', KEY_NAMES) + redis.call('XLEN', LEDGER)
    + redis.call('SCARD', root .. 'operators') + redis.call('HLEN', root .. 'admin-tokens') > 0
end

-- Returns the name of the measurements of a span that began at *start*, Unix seconds.
local function measured_key(span, start) return string.format('%smeasured:%s:%.0f', root, span, start) end

-- Deletes what was created after the names were read: totals of newer entries, and indexed keys.
local function drop_newest()
  for _, item in ipairs(redis.call('XRANGE', LEDGER, '(' .. args.last_id, '+')) do
    local entry = cjson.decode(item[2][2])
    redis.call('DEL', rollup_key('h', entry.at_ms - entry.at_ms % HOUR_MS), rollup_key('d', entry.day_ms),
      rollup_names_key(entry.day_ms), used_key(entry.key),
      team_rollup_key('h', entry.at_ms - entry.at_ms % HOUR_MS), team_rollup_key('d', entry.day_ms))
  end
  for _, id in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do redis.call('DEL', request_key(id)) end
  for _, id in ipairs(redis.call('HVALS', NAMES)) do
    leave_offer(id)
    redis.call('DEL', account_key(id))
  end
  for _, id in ipairs(redis.call('HVALS', KEY_NAMES)) do
    for _, digest in ipairs(redis.call('HMGET', api_key_key(id), 'digest', 'former')) do
      if digest then redis.call('DEL', secret_key(digest)) end
    end
    redis.call('DEL', api_key_key(id), key_sessions_key(id))
  end
  for _, span in ipairs({ 'h', 'd' }) do
    for _, start in ipairs(redis.call('ZRANGE', rollup_starts_key(span), 0, -1)) do
      if tonumber(start) then
        redis.call('DEL', summary_key(span, start * 1000), measured_key(span, start))
      end
    end
    redis.call('DEL', rollup_starts_key(span))
  end
  for back = 0, 180 do -- minutes; they live two hours
    local minute = now - now % 60000 - back * 60000
    redis.call('DEL', summary_key('m', minute), measured_key('m', minute / 1000))
  end
  for back = 0, 32 * 24 do -- hours
    redis.call('DEL', measured_key('h', (now - now % HOUR_MS) / 1000 - back * 3600))
  end
  for _, name in ipairs(redis.call('SMEMBERS', TEAMS)) do redis.call('DEL', team_key(name)) end
  redis.call('DEL', POOL, NAMES, KEY_NAMES, TEAMS, LEASES, LEDGER, OUT, SOFT, RESETS, RESTED, WEBHOOKS,
    LAST_USED, root .. 'prices', root .. 'routes')
end

local function reset_account(id, policy)
  local key = account_key(id)
  redis.call('HSET', key, 'in_flight', 0, 'probe', '0', 'refresh_until_ms', 0, 'version', now)
  if redis.call('HEXISTS', key, 'sign_in') == 1 then redis.call('HSET', key, 'refresh_fence', now) end -- outdates all leases
  join_offer(id, with_own_names(id, cjson.decode(redis.call('HGET', key, 'models') or '[]')))
  local account = read_account(id, now)
  if account.state == 'suspected' then -- a suspicion from the time of the backup
    redis.call('HSET', key, 'errors', 0)
    set_state(account, 'active', '', 0, now)
  end
  if account.state == 'active' then
    redis.call('ZREM', OUT, id)
  elseif not redis.call('ZSCORE', OUT, id) then
    redis.call('ZADD', OUT, '+inf', id)
  end
  index_account(account, policy)
end

-- Deletes the index of the replaced ledger, with blocks that were added after the names were read.
local function drop_ledger_index()
  for _, block in ipairs(redis.call('LRANGE', LEDGER_INDEX, 0, -1)) do
    redis.call('UNLINK', index_block_key(string.match(block, '%S+$')))
  end
  redis.call('DEL', LEDGER_INDEX)
end

if is_occupied() and not args.replace then return 'occupied' end
drop_newest()
drop_ledger_index()
for _, name in ipairs(redis.call('SMEMBERS', old)) do redis.call('DEL', root .. name) end
for _, name in ipairs(redis.call('SMEMBERS', staged)) do
  local key = staged .. ':' .. name
  if redis.call('EXISTS', key) == 1 then redis.call('RENAME', key, root .. name) end -- else it has expired
  local request_id = string.match(name, '^r:(.*)$')
  if request_id then redis.call('DEL', settled_key(request_id)) end -- in the restored pool it is open
end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
for _, id in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do expire_lease(id, now, policy) end
for _, id in ipairs(redis.call('HVALS', NAMES)) do reset_account(id, policy) end
for _, version in ipairs({ 'prices', 'routes' }) do -- newer than any version that a process has read
  if (redis.call('HGET', POOL, version) or '0') ~= '0' then redis.call('HSET', POOL, version, now) end
end
redis.call('HSET', POOL, 'restored', args.backup, 'restored_by', args.run)
redis.call('DEL', staged, old, root .. 'restore-by', OUT_JSON)
return 'done'

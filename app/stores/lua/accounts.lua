-- Accounts: which are ready, and the current state of each.
--
-- Accounts that offer the same (wires, kind, models) share an offer, `<protocols>:<kind>:<hash>`, and
-- one index, ready:<offer>, a zset by policy score of those that may be chosen now. A model knows its offers
-- (offering:<model>), so a pick reads a few heads of each: its cost grows with the number of different lists of models
-- that contain the model, not with the number of accounts. If no account lists it, every list of the pool counts. An
-- account that may not be chosen is in `out` with the time when it is due again (+inf: an operator has to act).

local FIELDS = { 'offer', 'weight', 'cap', 'in_flight', 'pass', 'group', 'used_1', 'used_2', 'reset_1',
  'reset_2', 'version', 'probe', 'state', 'errors', 'since_ms', 'exceeded', 'unproven' }
local MAX_COMPARED = 64 -- accounts, or models of an account, that one suspicion or return compares
local RECENT_MS = 600000 -- only accounts that were chosen within this time take part in the balance

local function read_account(id, now)
  local values = redis.call('HMGET', account_key(id), unpack(FIELDS))
  if not values[1] then return nil end
  local account = { id = id, now = now, offer = values[1], weight = tonumber(values[2]), cap = tonumber(values[3]),
    in_flight = tonumber(values[4]) or 0,
    pass = tonumber(values[5]) or 0, group = tonumber(values[6]) or 0, version = tonumber(values[11]),
    tested = values[12] and values[12] ~= '0' and values[12] or nil, state = values[13], errors = tonumber(values[14]) or 0,
    since = tonumber(values[15]) or now, exceeded = values[16], unproven = values[17], spare = 1, reset_ms = 0 }
  account.probe = account.tested ~= nil
  for window = 1, 2 do
    local used_percent, reset = tonumber(values[6 + window]), tonumber(values[8 + window])
    if used_percent and reset and reset > now then
      account.spare = math.min(account.spare, 1 - used_percent / 100)
      if account.reset_ms == 0 or reset < account.reset_ms then account.reset_ms = reset end
    end
  end
  if account.probe then account.cap = 1 end
  return account
end

-- Adds an account to the ready index, or removes it while it is full or not active.
local function index_account(account, policy)
  if account.reset_ms > 0 then redis.call('ZADD', RESETS, account.reset_ms, account.id) end
  if account.state == 'active' and account.in_flight < account.cap then
    redis.call('ZADD', ready_key(account.offer), string.format('%.17g', score(policy, account)), account.id)
  else
    redis.call('ZREM', ready_key(account.offer), account.id)
  end
end

-- The protocols and the kind of an offer.
local function parts_of_offer(offer) return string.match(offer, '^(%a+):([^:]+):') end

local function is_simulated(offer)
  local _, kind = parts_of_offer(offer)
  return SIMULATED_KINDS[kind or '']
end

-- Returns the set of offers that serve *model*: those that list it, else those that list others, and those of accounts
-- whose models are unknown. The simulated upstream is left out. *own*, if given, is an offer that has served the model:
-- if that lists others, so may all that list others.
local function offers_of(model, own)
  local result = {}
  local function add(name)
    for _, offer in ipairs(redis.call('SMEMBERS', offering_key(name))) do
      if not is_simulated(offer) then result[offer] = true end
    end
  end
  add(model)
  if not next(result) or own and not result[own] then add(UNLISTED) end
  if model ~= '*' then add('*') end
  return result
end

-- Returns the sets of offers that compete with *offer*: one for each group of its models with the same offers.
local function rivals_of(offer)
  local result, known = {}, {}
  local models = redis.call('SMEMBERS', models_key(offer))
  for n = 1, math.min(#models, MAX_COMPARED) do
    local offers, names = offers_of(models[n]), {}
    for name in pairs(offers) do names[#names + 1] = name end
    table.sort(names)
    local signature = table.concat(names, ' ')
    if not known[signature] then
      known[signature] = true
      result[#result + 1] = offers
    end
  end
  return result
end

-- Returns accounts of *offer* that serve requests now: those that would be next, else some that are full.
local function serving(offer)
  local ids = redis.call('ZRANGE', ready_key(offer), 0, 7)
  if #ids > 0 then return ids end
  return redis.call('SRANDMEMBER', members_key(offer), 16)
end

-- Returns the virtual time of the accounts that share requests with *account*; nil: there is none. Under `ordered`
-- only its own group counts. If some were chosen recently, the others are ignored: they serve other models.
local function level_of(account, policy)
  local lowest, lowest_recent, compared = nil, nil, {}
  local function compare(id)
    if id == account.id or compared[id] then return end
    compared[id] = true
    local values = redis.call('HMGET', account_key(id), 'pass', 'group', 'picked_ms', 'state', 'offer')
    local elsewhere = policy == 'ordered' and (tonumber(values[2]) or 0) ~= account.group
    if values[4] ~= 'active' or elsewhere or is_simulated(values[5] or '') then return end
    local pass = tonumber(values[1]) or 0
    if not lowest or pass < lowest then lowest = pass end
    if account.now - (tonumber(values[3]) or 0) < RECENT_MS and (not lowest_recent or pass < lowest_recent) then
      lowest_recent = pass
    end
  end
  for _, offers in ipairs(rivals_of(account.offer)) do
    for offer in pairs(offers) do
      for _, id in ipairs(serving(offer)) do compare(id) end
    end
  end
  if not lowest then -- an account of any model shares requests with those of some models
    local ids = redis.call('HVALS', NAMES)
    for n = 1, math.min(#ids, MAX_COMPARED) do compare(ids[n]) end
  end
  return lowest_recent or lowest
end

-- Returns an account to the ready index with the virtual time of the others, so that it neither catches up on the
-- requests that it missed nor pays for those that it had before.
local function rejoin(account, policy) -- rare
  local level = not is_simulated(account.offer) and level_of(account, policy)
  if level and account.pass ~= level then
    account.pass = level
    redis.call('HSET', account_key(account.id), 'pass', string.format('%.17g', level))
  end
  index_account(account, policy)
end

-- `since_ms` stays when a test fails: nothing has changed since then.
local function set_state(account, state, reason, until_ms, now)
  if (account.tested or account.state) ~= state then redis.call('HSET', account_key(account.id), 'since_ms', now) end
  account.state = state
  redis.call('HSET', account_key(account.id), 'state', state, 'reason', reason or '', 'until_ms', until_ms or 0)
  redis.call('DEL', OUT_JSON)
end

-- Lets an account serve one ordinary request, which tests whether the reason for its absence has ended.
local function begin_test(account)
  account.tested, account.probe, account.cap = account.state, true, 1
  account.state = 'active'
  redis.call('SADD', SOFT, account.id)
  redis.call('HSET', account_key(account.id), 'probe', account.tested, 'state', 'active', 'reason', 'being tested again',
    'until_ms', 0)
  redis.call('DEL', OUT_JSON)
end

-- Returns whether an account has ever answered: it has listed its models, or a request to it did not fail.
local function has_answered(id)
  local values = redis.call('HMGET', account_key(id), 'listed', 'attempts', 'unanswered')
  return values[1] or (tonumber(values[2]) or 0) > (tonumber(values[3]) or 0)
end

-- Makes an account come last until it answers, unless it has answered before; *failure* is why it has not. The
-- caller indexes it.
local function note_unanswered(account, failure)
  if has_answered(account.id) then return end
  redis.call('HSET', account_key(account.id), 'unproven', failure)
  account.unproven = failure
end

-- Forgets that an account has not answered since it failed: it has now, or the cause may have been corrected.
local function forget_unproven(account, policy)
  if not account.unproven then return end
  redis.call('HDEL', account_key(account.id), 'unproven')
  account.unproven = nil
  if account.state == 'active' then rejoin(account, policy) end
end

-- Tests an account that is due. A burst limit simply ends.
local function wake(id, now, policy) -- rare
  redis.call('ZREM', OUT, id)
  local account = read_account(id, now)
  if account and account.state == 'burst_limited' then
    redis.call('SREM', SOFT, id)
    redis.call('HSET', account_key(id), 'probe', '0')
    set_state(account, 'active', '', 0, now)
    rejoin(account, policy)
  elseif account then
    begin_test(account)
    rejoin(account, policy)
  end
end

-- Wakes accounts that are due; a usage window that was reset counts as unspent.
local function wake_due(now, policy)
  local due = redis.call('ZRANGEBYSCORE', OUT, '-inf', now, 'LIMIT', 0, 4)
  for _, id in ipairs(due) do wake(id, now, policy) end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', RESETS, '-inf', now, 'LIMIT', 0, 4)) do
    redis.call('ZREM', RESETS, id)
    local account = read_account(id, now)
    if account then index_account(account, policy) end
  end
end

-- Returns whether an account never bills more than the length that a request sets. The ChatGPT backend takes no
-- length and may reason unseen; any other account is trusted until it has billed more.
local function enforces(account)
  local _, kind = parts_of_offer(account.offer)
  return not account.exceeded and not UNENFORCED_KINDS[kind]
end

-- Returns whether an account with this id exists; *unchanged*, if given, is the result of an earlier read_account.
local function free_slot(id, policy, now, unchanged)
  local account = unchanged or read_account(id, now)
  if not account then return false end
  account.in_flight = math.max(0, account.in_flight - 1)
  redis.call('HSET', account_key(id), 'in_flight', account.in_flight)
  if account.state == 'active' then index_account(account, policy) end
  return true
end

local function take_slot(account, policy)
  account.pass = account.pass + 1 / effective_weight(policy, account)
  account.in_flight = account.in_flight + 1
  redis.call('HSET', account_key(account.id), 'in_flight', account.in_flight, 'pass', string.format('%.17g',
    account.pass), 'picked_ms', account.now)
  index_account(account, policy)
end

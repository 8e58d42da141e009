-- Accounts: which are ready, which is next, and how the outcome of a request changes an account.
--
-- Accounts that offer the same (wires, kind, models) share an offer, `<protocols>:<kind>:<hash>`, and
-- one index, ready:<offer>, a zset by policy score of those that may be chosen now. A model knows
-- its offers (offering:<model>), so a pick reads a few heads and never the pool. An account that may
-- not be chosen is in `out` with the time when it is due again (+inf: an operator has to act).

local FIELDS = { 'offer', 'weight', 'cap', 'in_flight', 'pass', 'group', 'used_1', 'used_2', 'reset_1',
  'reset_2', 'version', 'probe', 'state', 'errors', 'since_ms', 'exceeded' }
local STEP = 4 -- heads read at a time
local MAX_SEEN = 32 -- and reported at most, where many are overloaded
local MAX_RESTING = 64 -- models remembered for each account: as resting, and as many again as missing
local MAX_COMPARED = 64 -- accounts, or models of an account, that one suspicion or return looks at
local SAME_TIME_MS = 60000 -- two models limited within it: the account is; two credentials refused: perhaps no account
local RECENT_MS = 600000 -- an account chosen within it takes part in the balance
local RETEST_SHARE, RETEST_MIN_MS, RETEST_MAX_MS = 0.05, 1000, 600000 -- of a wait that the upstream reported

local function read_account(id, now)
  local values = redis.call('HMGET', account_key(id), unpack(FIELDS))
  if not values[1] then return nil end
  local account = { id = id, now = now, offer = values[1], weight = tonumber(values[2]), cap = tonumber(values[3]),
    in_flight = tonumber(values[4]) or 0,
    pass = tonumber(values[5]) or 0, group = tonumber(values[6]) or 0, version = tonumber(values[11]),
    tested = values[12] and values[12] ~= '0' and values[12] or nil, state = values[13], errors = tonumber(values[14]) or 0,
    since = tonumber(values[15]) or now, exceeded = values[16], spare = 1, reset_ms = 0 }
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

-- Returns the set of offers that serve *model*: those of the model and those of any model. The simulated
-- upstream is left out.
local function offers_of(model)
  local result = {}
  for _, name in ipairs(model == '*' and { '*' } or { model, '*' }) do
    for _, offer in ipairs(redis.call('SMEMBERS', offering_key(name))) do
      if not is_simulated(offer) then result[offer] = true end
    end
  end
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

-- Returns an account to the ready index with the virtual time of the others: it neither catches up on what it
-- missed while it was out, nor pays for what it had before.
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

-- Lets an account serve one ordinary request, which tests whether the reason it was out for has ended.
local function begin_test(account)
  account.tested, account.probe, account.cap = account.state, true, 1
  account.state = 'active'
  redis.call('SADD', SOFT, account.id)
  redis.call('HSET', account_key(account.id), 'probe', account.tested, 'state', 'active', 'reason', 'being tested again',
    'until_ms', 0)
  redis.call('DEL', OUT_JSON)
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

-- Why a model rests at an account. The score in rest:<account> is the end of the rest, with the reason after
-- the decimal point, so that one read returns both.
local REASONS = { overloaded = 0.25, limited = 0.5, suspected = 0.75 }
local NAMED = { [0.25] = 'overloaded', [0.5] = 'limited', [0.75] = 'suspected' }

-- Returns why *model* rests at *id*, and until when (ms); nothing if it does not.
local function model_rest(id, model, now)
  local lacks = tonumber(redis.call('ZSCORE', lacks_key(id), model) or nil)
  if lacks and lacks > now then return 'missing', lacks end
  local rest = tonumber(redis.call('ZSCORE', rest_key(id), model) or nil)
  if rest and rest > now then return NAMED[rest % 1] or 'overloaded', math.floor(rest) end
end

-- Rests one model at one account. Bounded: beyond MAX_RESTING, those that end first are forgotten.
local function rest_model(id, model, reason, wait_ms, now)
  local key = reason == 'missing' and lacks_key(id) or rest_key(id)
  local until_ms = now + math.max(1, math.floor(wait_ms))
  redis.call('ZADD', key, string.format('%.2f', until_ms + (REASONS[reason] or 0)), model)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  local excess = redis.call('ZCARD', key) - MAX_RESTING
  if excess > 0 then redis.call('ZREMRANGEBYRANK', key, 0, excess - 1) end
  local latest = math.max(until_ms, tonumber(redis.call('ZSCORE', RESTED, id) or 0))
  redis.call('ZADD', RESTED, string.format('%.0f', latest), id)
  redis.call('PEXPIRE', rest_key(id), string.format('%.0f', latest - now + 1))
  redis.call('PEXPIRE', lacks_key(id), string.format('%.0f', latest - now + 1))
end

-- Models that an account lacked are tried again: its list of models has changed.
local function forget_missing(id) redis.call('DEL', lacks_key(id)) end

-- All models of an account are tried again: an operator has resumed it.
local function forget_rests(id) redis.call('DEL', lacks_key(id), rest_key(id)) end

-- Returns whether an account other than *id* is ready for *model* at *offers*, and is not being tested.
local function has_reliable_other(id, offers, model, now)
  for offer in pairs(offers) do
    for _, other in ipairs(redis.call('ZRANGE', ready_key(offer), 0, 15)) do
      if other ~= id and redis.call('SISMEMBER', SOFT, other) == 0 and not model_rest(other, model, now) then return true end
    end
  end
  return false
end

-- Returns whether *id* may be taken out by suspicion: at most a quarter of the accounts of a model, but one at
-- least, and never the last. An account that is being tested does not count: it serves one request at a time.
local function may_suspect(id, model, now)
  local offers, total, soft = offers_of(model), 0, 0
  for offer in pairs(offers) do total = total + redis.call('SCARD', members_key(offer)) end
  for _, other in ipairs(redis.call('SMEMBERS', SOFT)) do
    if other ~= id and offers[redis.call('HGET', account_key(other), 'offer') or ''] then soft = soft + 1 end
  end
  for _, other in ipairs(redis.call('ZRANGE', RESTED, 0, MAX_COMPARED - 1)) do
    local reason = other ~= id and model_rest(other, model, now)
    if reason == 'missing' then total = total - 1 elseif reason == 'suspected' then soft = soft + 1 end
  end
  return soft < math.max(1, math.floor(total / 4)) and has_reliable_other(id, offers, model, now)
end

-- Returns whether *account* is the last that serves some other model: then it stays available for that model.
local function is_last_elsewhere(account, now)
  for _, offers in ipairs(rivals_of(account.offer)) do
    if not has_reliable_other(account.id, offers, '', now) then return true end
  end
  return false
end

local function deactivate(account, policy, outcome, now)
  set_state(account, outcome.state, outcome.reason, outcome.until_ms, now)
  redis.call('ZADD', OUT, outcome.retest_ms > 0 and outcome.retest_ms or '+inf', account.id)
  redis.call('HSET', account_key(account.id), 'probe', '0')
  index_account(account, policy)
end

local PASSING = { active = true, suspected = true, burst_limited = true }

-- Returns whether the state of an account outranks *state*, which an earlier request may report: nothing outranks
-- a pause or a dead credential, and a burst limit does not replace a spent window.
local function outranks(held, state)
  return held == 'paused' or held == 'credential_dead' or state == 'burst_limited' and not PASSING[held]
end

-- Returns when to test a spent window: after a twentieth of the total wait, and no later than planned before,
-- however often the upstream repeats in between that the window is spent.
local function retest_of_spent(account, outcome, now)
  local ends, total_ms = now + outcome.wait_ms, outcome.wait_ms
  if (account.tested or account.state) == outcome.state then total_ms = ends - account.since end
  local wait = math.max(RETEST_MIN_MS, math.min(RETEST_MAX_MS, RETEST_SHARE * total_ms))
  local planned = account.state == outcome.state and tonumber(redis.call('ZSCORE', OUT, account.id) or nil) or math.huge
  return math.min(now + wait, ends, planned)
end

-- Two models that are limited at an account within a minute show that the account itself is limited.
local function limit_second(account, outcome, policy, now)
  local values = redis.call('HMGET', account_key(account.id), 'limited_model', 'limited_ms')
  local limited_ms = tonumber(values[2]) or 0
  redis.call('HSET', account_key(account.id), 'limited_model', outcome.model, 'limited_ms', now)
  if not values[1] or values[1] == outcome.model or now - limited_ms >= SAME_TIME_MS or account.state ~= 'active' then
    return
  end
  local until_ms = now + math.min(outcome.wait_ms, SAME_TIME_MS)
  redis.call('SREM', SOFT, account.id)
  deactivate(account, policy, { state = 'burst_limited', reason = 'several models are limited', until_ms = until_ms,
    retest_ms = until_ms }, now)
end

-- Takes an account, or only this model at it, out for a while on suspicion, as far as `may_suspect` allows.
local function suspect(account, outcome, policy, now)
  local streak = redis.call('HINCRBY', account_key(account.id), 'errors', 1)
  local requested_model = outcome.asked or '*'
  local wait = math.min(outcome.most_ms, outcome.base_ms * 2 ^ math.min(streak - 1, 20))
  if account.state ~= 'active' or not may_suspect(account.id, requested_model, now) then return end
  if is_last_elsewhere(account, now) then
    rest_model(account.id, requested_model, 'suspected', wait, now)
  else
    redis.call('SADD', SOFT, account.id)
    deactivate(account, policy, { state = 'suspected', reason = outcome.reason, until_ms = now + wait,
      retest_ms = now + wait }, now)
  end
end

-- Returns whether a refused credential is only suspect. An upstream whose authentication fails refuses every
-- credential, and requests of one caller may be refused by any upstream, so within a minute only one account of the
-- pool goes out; its id is stored.
local function is_doubtful(account, outcome, now)
  if not outcome.base_ms or account.tested == outcome.state or outranks(account.state, outcome.state) then return false end
  local id, at_ms = string.match(redis.call('GET', REFUSED_CREDENTIAL) or '', '^(.*) (%d+)$')
  local passed_ms = now - (tonumber(at_ms) or 0)
  if id and id ~= account.id and passed_ms >= 0 and passed_ms < SAME_TIME_MS then return true end
  redis.call('SET', REFUSED_CREDENTIAL, string.format('%s %.0f', account.id, now), 'PX', SAME_TIME_MS)
  return false
end

-- Returns whether an account never bills more than the length that a request sets. The ChatGPT backend takes no
-- length and may reason unseen; any other account is trusted until it has billed more.
local function enforces(account)
  local _, kind = parts_of_offer(account.offer)
  return not account.exceeded and not UNENFORCED_KINDS[kind]
end

-- Applies an outcome that is not ok; see apply_outcome.
local function apply_failure(account, outcome, policy, now) -- rare
  if outcome.model then
    rest_model(account.id, outcome.model, outcome.why or 'overloaded', outcome.wait_ms, now)
    if outcome.why == 'limited' then limit_second(account, outcome, policy, now) end
  elseif outcome.soft or outcome.state == 'credential_dead' and is_doubtful(account, outcome, now) then
    suspect(account, outcome, policy, now)
  elseif outcome.state and not outranks(account.state, outcome.state) then
    redis.call('SREM', SOFT, account.id)
    local retest = outcome.retest_wait_ms
    deactivate(account, policy, { state = outcome.state, reason = outcome.reason,
      until_ms = outcome.wait_ms > 0 and now + outcome.wait_ms or 0,
      retest_ms = not retest and retest_of_spent(account, outcome, now) or retest > 0 and now + retest or 0 }, now)
  end
end

-- Applies the outcome of a request to its account. outcome is one of
--   {ok}                                        it answered: its errors are cleared
--   {state, reason, wait_ms, retest_wait_ms}    the upstream reported it; a retest of 0: an operator has to act,
--                                               absent for a spent window: chosen here; a refused credential
--                                               with `asked`, base_ms, most_ms: only suspected where another
--                                               account of the pool was refused a moment ago
--   {soft, `asked`, reason, base_ms, most_ms}   suspicion: out for base * 2^(streak-1), at most most_ms;
--                                               `asked` is the requested model
--   {model, why, wait_ms}                       this model rests there: it is missing, overloaded or limited;
--                                               the account is well
-- and may have windows = {{used percent, reset ms[, seconds]}, …}, the usage windows that the upstream reported,
-- primary and secondary; null: not reported. It may have exceeded = JSON of an answer that was billed with
-- more than its request allowed; the first is remembered, until an operator removes it.
local function apply_outcome(id, outcome, now, policy)
  local account = read_account(id, now)
  if not account then return end
  for i, window in ipairs(outcome.windows or {}) do
    if window ~= cjson.null then
      redis.call('HSET', account_key(id), 'used_' .. i, window[1], 'reset_' .. i, window[2])
      if window[3] then redis.call('HSET', account_key(id), 'length_' .. i, window[3]) end
    end
  end
  if outcome.exceeded then redis.call('HSETNX', account_key(id), 'exceeded', outcome.exceeded) end
  if outcome.ok then
    if account.errors > 0 or account.probe then
      redis.call('HSET', account_key(id), 'errors', 0, 'probe', '0')
      if account.state == 'active' and account.probe then
        redis.call('SREM', SOFT, id)
        set_state(account, 'active', '', 0, now)
        account = read_account(id, now)
        rejoin(account, policy)
      end
    elseif outcome.windows and account.state == 'active' then
      index_account(read_account(id, now), policy)
    end
  else
    apply_failure(account, outcome, policy, now)
  end
end

-- Returns whether there is such an account.
local function free_slot(id, policy, now)
  local account = read_account(id, now)
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

-- Returns the set of accounts a key is bound to; nothing if it may use any account.
local function account_set(list)
  local ids, set = list and list ~= '' and cjson.decode(list) or {}, {}
  if #ids == 0 then return nil end
  for _, id in ipairs(ids) do set[id] = true end
  return set
end

-- Returns whether the simulated upstream serves *model*: a demo model, in a pool without a usable account.
local function demo_serves(model)
  if string.sub(model, 1, 4) ~= 'demo' then return false end
  for _, id in ipairs(redis.call('HVALS', NAMES)) do
    local values = redis.call('HMGET', account_key(id), 'offer', 'state')
    local is_in_use = values[2] ~= 'paused' and values[2] ~= 'credential_dead'
    if values[1] and is_in_use and not is_simulated(values[1]) then return false end
  end
  return true
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

-- Returns the set of offers that can serve this request: those of the model and those of any model.
local function offers_for(request)
  local result, demo = {}, nil
  local unfit_kinds, kinds = set_of(request.unfit_kinds or {}), request.kinds and set_of(request.kinds)
  for _, name in ipairs({ request.model, '*' }) do
    for _, offer in ipairs(redis.call('SMEMBERS', offering_key(name))) do
      local wires, kind = parts_of_offer(offer)
      if (request.wire == '' or string.find(wires, request.wire, 1, true))
        and (not kinds or kinds[kind]) and not unfit_kinds[kind]
        and not (request.enforcing_only and UNENFORCED_KINDS[kind]) then
        local simulated = SIMULATED_KINDS[kind]
        if simulated and demo == nil then demo = request.demo and demo_serves(request.model) or false end
        if not simulated or demo then result[offer] = true end
      end
    end
  end
  return result
end

-- Returns whether the process that sent the request cannot decrypt the credential of *id*. Others may.
local function is_unreadable(request, id)
  if not request.unreadable then return false end
  for _, other in ipairs(request.unreadable) do
    if other == id then return true end
  end
  return false
end

-- Returns why *id* may not serve this request although it is ready, or nothing if it may.
local function unfit_reason(id, request, tried, any_rested, now)
  if tried[id] then return 'tried' end
  if is_unreadable(request, id) then return 'credential unreadable' end
  if request.enforcing_only and redis.call('HEXISTS', account_key(id), 'exceeded') == 1 then return 'may exceed its length' end
  return any_rested and model_rest(id, request.model, now) or nil
end

-- Returns the score of one account if it is ready and fits: for affinity, and for keys bound to accounts.
local function ready_score(id, offers)
  local offer = redis.call('HGET', account_key(id), 'offer')
  return offer and offers[offer] and tonumber(redis.call('ZSCORE', ready_key(offer), id))
end

-- Returns the only account that may serve a request: the one it names, or the owner of an object it refers to.
local function pinned_to(request)
  if request.pin ~= '' or not request.ownership or request.ownership == '' then return request.pin end
  local owner = redis.call('GET', owner_key(request.ownership))
  return owner and redis.call('EXISTS', account_key(owner)) == 1 and owner or ''
end

-- Returns why *id*, which served a conversation before, cannot be considered for its next turn.
local function home_obstacle(id, allowed)
  local state, in_flight, cap, probe = unpack(redis.call('HMGET', account_key(id), 'state', 'in_flight', 'cap', 'probe'))
  if not state then return 'removed' end
  if allowed and not allowed[id] then return 'not for this key' end
  if state ~= 'active' then return state end
  if tonumber(in_flight or 0) >= (probe == '1' and 1 or tonumber(cap)) then return probe == '1' and 'being tested' or 'full' end
  return 'does not fit'
end

-- Returns the group of an account from its score under `ordered`; a tested account scores slightly lower.
local function group_of(account_score) return math.floor((account_score + 2e11) / 1e12) end

-- Picks the account with the lowest score. request = {model, wire, unfit_kinds, demo, allowed (set or nil),
-- tried (list), unreadable (list), affinity, pin, enforcing_only (only accounts that `enforces` is true of)}; seen
-- collects {id, score, why not} of the accounts examined, the score false of an account that could have been by affinity alone.
local function pick(request, now, policy, seen)
  local pin = pinned_to(request)
  local offers, tried = offers_for(request), {}
  for _, id in ipairs(request.tried or {}) do tried[id] = true end
  redis.call('ZREMRANGEBYSCORE', RESTED, '-inf', now)
  local any_rested = redis.call('ZCARD', RESTED) > 0
  local at_home, home_score
  local function consider(id, account_score)
    if id == at_home then return true end
    local reason = unfit_reason(id, request, tried, any_rested, now)
    if #seen < MAX_SEEN or not reason then seen[#seen + 1] = { id, account_score, reason or '' } end
    return not reason
  end

  local home = pin ~= '' and pin or (request.affinity ~= '' and redis.call('GET', affinity_key(request.affinity)))
  if home then
    local account_score = (not request.allowed or request.allowed[home]) and ready_score(home, offers)
    if not account_score then
      seen[#seen + 1] = { home, false, 'its conversation, but ' .. home_obstacle(home, request.allowed) }
    elseif consider(home, account_score) then
      if pin ~= '' or policy ~= 'ordered' or group_of(account_score) <= 0 then return home, 'affinity' end
      at_home, home_score = home, account_score
    end
  end
  if pin ~= '' then return nil end

  -- a conversation moves to a better group as soon as that is available
  local best, best_score
  local function chosen()
    if at_home and not (best and group_of(best_score) < group_of(home_score)) then return at_home, 'affinity' end
    return best, 'policy'
  end
  if request.allowed then
    for id in pairs(request.allowed) do
      local account_score = id ~= at_home and ready_score(id, offers)
      if account_score and consider(id, account_score) and (not best or account_score < best_score) then
        best, best_score = id, account_score
      end
    end
    return chosen()
  end
  for offer in pairs(offers) do
    local first, result = 0, false
    repeat
      local heads = redis.call('ZRANGE', ready_key(offer), first, first + STEP - 1, 'WITHSCORES')
      for i = 1, #heads, 2 do
        local account_score = tonumber(heads[i + 1])
        if best and account_score >= best_score then
          seen[#seen + 1] = { heads[i], account_score, 'higher score' }
          result = true
          break
        end
        if consider(heads[i], account_score) then
          best, best_score, result = heads[i], account_score, true
          break
        end
      end
      first = first + STEP
    until result or #heads < STEP * 2
  end
  return chosen()
end

-- Returns {state: number of accounts of the pool}.
local function states_of_pool(total)
  local out = redis.call('ZRANGE', OUT, 0, -1)
  local states = { active = total > #out and total - #out or nil }
  for _, id in ipairs(out) do
    local state = redis.call('HGET', account_key(id), 'state') or 'removed'
    states[state] = (states[state] or 0) + 1
  end
  return states
end

-- Returns the accounts that fit this request, in any state.
local function fitting(request, offers)
  local ids, pin = {}, pinned_to(request)
  if pin ~= '' or request.allowed then
    for id in pairs(pin ~= '' and { [pin] = true } or request.allowed) do
      if offers[redis.call('HGET', account_key(id), 'offer') or ''] then ids[#ids + 1] = id end
    end
    return ids
  end
  for offer in pairs(offers) do
    for _, id in ipairs(redis.call('SMEMBERS', members_key(offer))) do ids[#ids + 1] = id end
  end
  return ids
end

-- What prevents an account from serving *model*; `obstacle_at` also returns when that ends (ms, nil: unknown).
local OBSTACLES = { paused = 'paused', credential_dead = 'dead', window_spent = 'spent', burst_limited = 'limited',
  suspected = 'failing', credential_expired = 'failing' }

local function obstacle_at(id, model, now)
  local reason, until_ms = model_rest(id, model, now)
  if reason == 'missing' then return 'missing' end
  local values = redis.call('HMGET', account_key(id), 'state', 'until_ms')
  local obstacle = OBSTACLES[values[1]]
  if obstacle == 'spent' or obstacle == 'paused' or obstacle == 'dead' then return obstacle, tonumber(values[2]) end
  local due = tonumber(redis.call('ZSCORE', OUT, id) or nil)
  if obstacle then return obstacle, math.max(due or now, until_ms or 0) end
  if reason == 'limited' then return 'limited', until_ms end
  return reason and 'failing' or 'busy', until_ms
end

-- Returns the refusal when no account could be picked: accounts by state, the obstacles of those that fit
-- (able = {obstacle: count}), when the first account is due, and when the first spent one is reset.
local function no_accounts_refusal(request, now) -- rare
  local total, offers = redis.call('HLEN', NAMES), offers_for(request)
  local able, due, resets, fit = {}, nil, nil, fitting(request, offers)
  for _, id in ipairs(fit) do
    local obstacle, until_ms = obstacle_at(id, request.model, now)
    if obstacle ~= 'missing' and obstacle ~= 'paused' and is_unreadable(request, id) then
      obstacle, until_ms = 'unreadable', nil
    end
    able[obstacle] = (able[obstacle] or 0) + 1
    if until_ms and until_ms > now then
      if obstacle == 'spent' then
        resets = math.min(resets or until_ms, until_ms) else due = math.min(due or until_ms, until_ms)
      end
    end
  end
  return { refused = 'no_accounts', states = states_of_pool(total), total = total, offered = #fit > 0,
    known = next(offers_of(request.model)) ~= nil, able = able, model = request.model, resets_ms = resets or 0,
    wait_ms = math.max(0, (due or resets or now) - now), now = now }
end

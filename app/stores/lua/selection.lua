-- Selection: the account that serves a request.

local STEP = 4 -- heads read at a time
local MAX_SEEN = 32 -- most accounts that a decision reports

-- Returns the set of accounts that both the key's list and the accounts named by the request allow; nothing if any
-- account may serve.
local function allowed_accounts(list, named)
  local set = account_set(list)
  if not named then return set end
  local both = {}
  for _, id in ipairs(named) do
    if not set or set[id] then both[id] = true end
  end
  return both
end

local function is_demo_model(model) return string.sub(model, 1, 4) == 'demo' end

-- Returns whether the simulated upstream serves *model*: a demo model, until an account in use has answered.
-- Same as `demo_serves` in app/accounts/account.py.
local function demo_serves(model)
  if not is_demo_model(model) then return false end
  for _, id in ipairs(redis.call('HVALS', NAMES)) do
    local values = redis.call('HMGET', account_key(id), 'offer', 'state')
    local is_in_use = values[2] ~= 'paused' and values[2] ~= 'credential_dead'
    if values[1] and is_in_use and not is_simulated(values[1]) and has_answered(id) then return false end
  end
  return true
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

-- Returns the only account that may serve a request: the one it names, or the owner of an object it refers to.
local function pinned_to(request)
  if request.pin ~= '' or not request.ownership or request.ownership == '' then return request.pin end
  local owner = redis.call('GET', owner_key(request.ownership))
  return owner and redis.call('EXISTS', account_key(owner)) == 1 and owner or ''
end

-- Returns whether an account that may serve *request* has its model: *having* is the set of offers with the model. If
-- all of them lack the model although they list it, the lists do not decide.
local function is_listed(request, having)
  if not next(having) or pinned_to(request) ~= '' then return false end
  local any_rested = redis.call('ZCARD', RESTED) > 0
  if not any_rested and not request.allowed then return true end
  local now = clock()
  local function has_it(id) return not any_rested or model_rest(id, request.model, now) ~= 'missing' end
  if request.allowed then
    for id in pairs(request.allowed) do
      if having[redis.call('HGET', account_key(id), 'offer') or ''] and has_it(id) then return true end
    end
    return false
  end
  for offer in pairs(having) do
    for _, id in ipairs(redis.call('SRANDMEMBER', members_key(offer), MAX_SEEN)) do
      if has_it(id) then return true end
    end
  end
  return false
end

-- Returns a test whether offers of *wires* and *kind* can serve *request* if they have its model.
local function eligibility(request)
  local wire, kinds = request.wire, request.kinds and set_of(request.kinds)
  local ineligible_kinds = set_of(request.ineligible_kinds or {})
  return function(wires, kind)
    return (wire == '' or string.find(wires, wire, 1, true)) and (not kinds or kinds[kind]) and not ineligible_kinds[kind]
      and not (request.enforcing_only and UNENFORCED_KINDS[kind])
  end
end

-- Returns the set of offers that can serve this request: those of the model, those of accounts whose models are unknown,
-- and if no account lists the model, those of accounts that list others: many servers serve more than they list. *seen*,
-- if given, collects the simulated accounts that an account which has answered replaces.
local function offers_for(request, seen)
  local result, demo, is_eligible = {}, nil, eligibility(request)
  local function add_simulated(offer)
    if demo == nil then demo = request.demo and demo_serves(request.model) or false end
    if demo then
      result[offer] = true
    elseif seen and request.demo and is_demo_model(request.model) then
      for _, id in ipairs(redis.call('SRANDMEMBER', members_key(offer), MAX_SEEN)) do
        seen[#seen + 1] = { id, false, 'simulated, and another account has answered' }
      end
    end
  end
  -- Returns the set of the offers of *name* that serve it and are not simulated; *kinds*, if given, are the only ones.
  local function add(name, kinds)
    local added = {}
    for _, offer in ipairs(redis.call('SMEMBERS', offering_key(name))) do
      local wires, kind = parts_of_offer(offer)
      if (not kinds or kinds[kind]) and is_eligible(wires, kind) then
        if SIMULATED_KINDS[kind] then add_simulated(offer) else result[offer], added[offer] = true, true end
      end
    end
    return added
  end
  local lists_decide = is_listed(request, add(request.model))
  add('*')
  local unlisted_kinds = set_of(request.unlisted_kinds or {})
  if not lists_decide or next(unlisted_kinds) then add(UNLISTED, lists_decide and unlisted_kinds) end
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
local function ineligible_reason(id, request, tried, any_rested, now)
  if tried[id] then return 'tried' end
  if is_unreadable(request, id) then return 'credential unreadable' end
  if request.enforcing_only and redis.call('HEXISTS', account_key(id), 'exceeded') == 1 then return 'may exceed its length' end
  local rest = any_rested and model_rest(id, request.model, now)
  if rest then return rest end
  return request.is_left_to_others and request.is_left_to_others(id) and 'left to requests that wait' or nil
end

-- Returns the score of one account if it is ready and fits: for affinity, and for keys bound to accounts.
local function ready_score(id, offers)
  local offer = redis.call('HGET', account_key(id), 'offer')
  return offer and offers[offer] and tonumber(redis.call('ZSCORE', ready_key(offer), id))
end

-- Returns why *id*, which served a conversation before, cannot be considered for its next turn.
local function home_obstacle(id, request)
  local state, in_flight, cap, probe = unpack(redis.call('HMGET', account_key(id), 'state', 'in_flight', 'cap', 'probe'))
  if not state then return 'removed' end
  if request.accounts and not set_of(request.accounts)[id] then return 'not an account of this step of the model route' end
  if request.allowed and not request.allowed[id] then return 'not for this key' end
  if state ~= 'active' then return state end
  if tonumber(in_flight or 0) >= (probe == '1' and 1 or tonumber(cap)) then return probe == '1' and 'being tested' or 'full' end
  return 'does not fit'
end

-- Returns the group of an account from its score under `ordered`; a tested account scores slightly lower.
local function group_of(account_score) return math.floor((account_score + 2e11) / 1e12) end

-- Picks the account with the lowest score. request = {model, wire, ineligible_kinds, unlisted_kinds, demo,
-- allowed (set or nil), tried (list), unreadable (list), affinity, pin, enforcing_only (only accounts that `enforces` is
-- true of)}; seen collects {id, score, why not} of the accounts examined, the score false of an account that could have
-- been by affinity alone.
local function pick(request, now, policy, seen)
  local pin = pinned_to(request)
  local offers, tried = offers_for(request, seen), {}
  for _, id in ipairs(request.tried or {}) do tried[id] = true end
  local any_rested = redis.call('ZCARD', RESTED) > 0
  if any_rested and redis.call('ZREMRANGEBYSCORE', RESTED, '-inf', now) > 0 then
    any_rested = redis.call('ZCARD', RESTED) > 0
  end
  local at_home, home_score, considered_home
  local function consider(id, account_score)
    if id == considered_home then return id == at_home end
    local reason = ineligible_reason(id, request, tried, any_rested, now)
    if #seen < MAX_SEEN or not reason then seen[#seen + 1] = { id, account_score, reason or '' } end
    return not reason
  end

  local home = pin ~= '' and pin or (request.affinity ~= '' and redis.call('GET', affinity_key(request.affinity)))
  if home then
    local account_score = (not request.allowed or request.allowed[home]) and ready_score(home, offers)
    if not account_score then
      seen[#seen + 1] = { home, false, 'its conversation, but ' .. home_obstacle(home, request) }
    elseif consider(home, account_score) then
      local has_best_group = account_score < COMES_LAST and (policy ~= 'ordered' or group_of(account_score) <= 0)
      if pin ~= '' or has_best_group then return home, 'affinity' end
      at_home, home_score = home, account_score
    end
    considered_home = home
  end
  if pin ~= '' then return nil end

  -- a conversation moves to a better group as soon as that is available, and from an account that comes last to any other
  local best, best_score
  local function chosen()
    if at_home and not (best and group_of(best_score) < group_of(home_score)) then return at_home, 'affinity' end
    return best, 'policy'
  end
  -- A request that has failed tests an account only if no other may serve it: two refused credentials end a request.
  local function rank(account_score)
    return next(tried) and is_test(account_score) and account_score + COMES_LAST or account_score
  end
  if request.allowed then
    for id in pairs(request.allowed) do
      local account_score = id ~= at_home and ready_score(id, offers)
      if account_score and consider(id, account_score) and (not best or rank(account_score) < best_score) then
        best, best_score = id, rank(account_score)
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
        local account_rank = rank(account_score)
        result = account_rank == account_score -- then the following ones rank higher
        if best and account_rank >= best_score then
          if result or #seen < MAX_SEEN then seen[#seen + 1] = { heads[i], account_score, 'higher score' } end
        elseif consider(heads[i], account_score) then
          best, best_score = heads[i], account_rank
        else
          result = false
        end
        if result then break end
      end
      first = first + STEP
    until result or #heads < STEP * 2
  end
  return chosen()
end

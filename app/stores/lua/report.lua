-- Report the outcome of an attempt, charge what may have been billed and, if another attempt may follow, reserve for
-- it and pick its account.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, attempt, mark, charge, tried, never, may_wait, and the fields that admit was given}; attempt
--          is the one that ended; charge, absent if nothing was billed, is {account, input_tokens, output_tokens,
--          cost, …}, figures as in a ledger entry; tried: the accounts that failed, picked again only if there is
--          no other; never: those that are not picked again; may_wait: the request waits for an account that
--          lacks only a free slot, with wait as for admit: in the queue, before those that wait to be admitted
-- Returns  JSON: {account, …} as admit does, or {refused: no_accounts | limit | calendar | lease | key, …}.
-- Limits of a team are those of the team at admission: the key may be in another team by now.
-- Safe to repeat: a report of an attempt that is no longer the newest returns the newest, and an attempt that has
-- ended is charged once.  Invariant: as for admit, settled + held <= max for every strict limit.
local request, now = cjson.decode(ARGV[1]), clock()
check_request(request)
check(request, { attempt = 'count', tried = 'list', never = 'list', may_wait = '?flag', charge = '?object' })
check_each(request.tried, 'text', 'tried')
check_each(request.never, 'text', 'never')
if request.wait ~= nil and not is_count(request.wait) then refuse('wait') end
if request.charge then check_charge(request.charge) end
request.mark = check_outcome(request.mark) or {}
local pool = redis.call('HMGET', POOL, 'policy', 'limits', 'queue')
local policy = pool[1] or 'balanced'
local stored = read_request(request.id)
if stored and tonumber(stored.attempt) > request.attempt then return stored.choice end
if not stored or stored.expired then return cjson.encode({ refused = 'lease', now = now }) end

round_amounts(request)
request.team = stored.team
local holds, charges = cjson.decode(stored.holds), charges_of(stored)
local is_repeated = stored.account == '' -- no attempt has ended: the request waits, and selects again
-- Holds of parallel requests stay; the other holds end with the attempt.
local function release(charge)
  local retained = {}
  for _, hold in ipairs(holds) do
    if hold[3] == 'parallel_requests' then
      retained[#retained + 1] = hold
    else
      settle_hold(hold, charge and charged_amount(charge, hold[3], hold[6]) or 0, now)
    end
  end
  holds, stored.bounds, stored.unenforced = retained, '', ''
end
if stored.account ~= '' then
  apply_outcome(stored.account, request.mark, now, policy, request.key)
  free_slot(stored.account, policy, now)
  if request.charge then
    release(request.charge)
    charges[#charges + 1] = request.charge
  end
end
wake_due(now, policy)
local key = redis.call('HMGET', api_key_key(request.key), 'state', 'accounts', 'limits')
local limits = {}
for _, limit in ipairs(limits_for(key[3], limits_of_team(stored.team), pool[2], stored.model)) do
  if limit.what ~= 'requests' and limit.what ~= 'parallel_requests' then limits[#limits + 1] = limit end
end

local function store(account, attempt, reason, choice_text)
  local why = reason and stored.why .. ',' .. reason or stored.why
  redis.call('HSET', request_key(request.id), 'account', account, 'attempt', attempt, 'why', why,
    'choice', choice_text, 'holds', cjson.encode(holds), 'bounds', stored.bounds, 'unenforced', stored.unenforced or '',
    'charges', #charges > 0 and cjson.encode(charges) or '[]')
end
-- A repeated refusal adds no decision: a request that waits would store the same one again and again.
local function refused(reply, seen)
  local decision = { attempt = request.attempt + 1, chosen = '', policy = policy, seen = seen, now = now }
  store('', stored.attempt, not is_repeated and encode_decision(decision), stored.choice)
  return cjson.encode(reply)
end
if not key[1] then return refused({ refused = 'key', why = 'removed', now = now }, {}) end -- its account bindings are unknown

-- Subtracts the holds of this request, which it may use again.
local function without_own(gauges)
  for i, limit in ipairs(limits) do
    for _, hold in ipairs(holds) do
      local same = hold[1] == limit.id and (gauges[i].level or hold[5] == gauges[i].start)
      if same then gauges[i].held = math.max(0, gauges[i].held - hold[2]) end
    end
  end
  return gauges
end

local reserved, larger = stored.bounds ~= '', nil
if not reserved or request.unenforced_bounds then
  local gauges = read_gauges(limits, now, request.calendar)
  if not gauges then return refused({ refused = 'calendar', now = now }, {}) end
  gauges = without_own(gauges)
  if not reserved or stored.unenforced == '1' then
    local refusal = refusal_of(limits, gauges, request, nil, now)
    if refusal then return refused(refusal, {}) end
  end
  larger = stored.unenforced ~= '1' and request.unenforced_bounds and refusal_of(limits, gauges, request, true, now)
end

-- Returns whether one of the first MAX_EXAMINED accounts that fit was not tried, and lacks nothing but a free slot.
local function has_full_account()
  local tried = set_of(request.tried)
  local ids = fitting(request, offers_for(request))
  for i = 1, math.min(#ids, MAX_EXAMINED) do
    local id = ids[i]
    local state, in_flight, cap, probe, exceeded = unpack(redis.call('HMGET', account_key(id), 'state', 'in_flight', 'cap',
      'probe', 'exceeded'))
    local most = probe and probe ~= '0' and 1 or tonumber(cap)
    local is_full = state == 'active' and ((tonumber(in_flight) or 0) >= most
      or request.is_left_to_others and request.is_left_to_others(id))
    if is_full and not tried[id] and not (request.enforcing_only and exceeded) and not is_unreadable(request, id)
      and not model_rest(id, request.model, now) then return true end
  end
  return false
end

local examined = {} -- by whether the length has to be enforced: a refusal needs the result twice
local function waits_for_slot()
  local which = request.enforcing_only and 'enforcing' or 'any'
  if examined[which] == nil then examined[which] = (request.may_wait and has_full_account()) or false end
  return examined[which]
end

-- Accounts that failed are tried again; from the second failure on, only if there is no other to wait for.
local function choose(seen)
  local tried = request.tried
  local id, by = pick(request, now, policy, seen)
  if not id and #request.never < #request.tried and (#request.tried < 2 or not waits_for_slot()) then
    request.tried = request.never
    for n = #seen, 1, -1 do seen[n] = nil end -- the decision is the second one
    id, by = pick(request, now, policy, seen), 'asked again'
    request.tried = tried
  end
  return id, by
end

request.allowed = allowed_accounts(key[2], request.accounts)
request.enforcing_only = larger and true
local turn = (pool[3] or request.wait) and retry_turn_of(request, now)
local seen = {}
local id, by = choose(seen)
if not id then
  local waits = waits_for_slot()
  if larger then
    request.enforcing_only = nil
    if choose({}) then return refused(larger, seen) end
  end
  local none = is_repeated and no_accounts_refusal_with_waits(request, now) or no_accounts_refusal(request, now)
  none.busy = waits and 1 or 0
  if waits and request.wait and turn then turn:wait(request, none, now) end
  return refused(none, seen)
end

if turn then turn:finish(request) end
local selection, reason = select_account(id, by, request.attempt + 1, seen, now, policy)
if not reserved or (request.unenforced_bounds and (stored.unenforced == '1') ~= (selection.unenforced == true)) then
  release()
  for _, hold in ipairs(reserve(limits, read_gauges(limits, now, request.calendar), request, selection.unenforced)) do
    holds[#holds + 1] = hold
  end
  stored.bounds = cjson.encode(selection.unenforced and request.unenforced_bounds or request.bounds)
end
stored.unenforced = selection.unenforced and '1' or ''
local reply = cjson.encode(selection)
store(id, request.attempt + 1, reason, reply)
redis.call('ZADD', LEASES, now + request.ttl_ms, request.id)
if request.affinity ~= '' then redis.call('SET', affinity_key(request.affinity), id, 'PX', request.sticky_ms) end
return reply

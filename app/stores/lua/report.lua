-- Report how an attempt went, charge what it may have been billed and, where another may follow, reserve for that
-- and pick its account.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, attempt, mark, charge, tried, never, and of the request what admit was given}; attempt is the
--          one that ended; charge, absent where it was billed nothing, is {account, input_tokens, output_tokens,
--          cost, …}, figures as in a ledger row; tried are the accounts that failed, asked again only if there is
--          no other; never are those of them never to be asked
-- Returns  JSON: {account, …} as admit does, or {refused: no_accounts | limit | calendar | lease | key, …}.
-- Safe to repeat: a report of an attempt that is no longer the newest returns the newest, and an attempt that has
-- ended is charged once.  Invariant: as for admit, settled + held <= max for every strict limit.
local ask, now = cjson.decode(ARGV[1]), clock()
check_request(ask)
check(ask, { attempt = 'count', tried = 'list', never = 'list', charge = '?object' })
check_each(ask.tried, 'text', 'tried')
check_each(ask.never, 'text', 'never')
if ask.charge then check_charge(ask.charge) end
ask.mark = check_mark(ask.mark) or {}
local pool = redis.call('HMGET', POOL, 'policy', 'limits')
local policy = pool[1] or 'balanced'
local r = read_request(ask.id)
if r and tonumber(r.attempt) > ask.attempt then return r.choice end
if not r or r.expired then return cjson.encode({ refused = 'lease', now = now }) end

round_amounts(ask)
local holds, charges = cjson.decode(r.holds), charges_of(r)
-- Parallel requests go on; what is counted of an attempt ends with it.
local function release(charge)
  local kept = {}
  for _, hold in ipairs(holds) do
    if hold[3] == 'parallel_requests' then
      kept[#kept + 1] = hold
    else
      settle_hold(hold, charge and used(charge, hold[3], hold[6]) or 0, now)
    end
  end
  holds, r.bounds, r.unenforced = kept, '', ''
end
if r.account ~= '' then
  apply_mark(r.account, ask.mark, now, policy)
  free_slot(r.account, policy, now)
  if ask.charge then
    release(ask.charge)
    charges[#charges + 1] = ask.charge
  end
end
wake_due(now, policy)
local k = redis.call('HMGET', api_key_key(ask.key), 'state', 'accounts', 'limits')
local limits = {}
for _, limit in ipairs(limits_for(k[3], pool[2], r.model)) do
  if limit.what ~= 'requests' and limit.what ~= 'parallel_requests' then limits[#limits + 1] = limit end
end

local function store(account, attempt, why, choice_text)
  redis.call('HSET', request_key(ask.id), 'account', account, 'attempt', attempt, 'why', r.why .. ',' .. why,
    'choice', choice_text, 'holds', cjson.encode(holds), 'bounds', r.bounds, 'unenforced', r.unenforced or '',
    'charges', #charges > 0 and cjson.encode(charges) or '[]')
end
local function refused(reply, seen)
  store('', r.attempt, noted({ attempt = ask.attempt + 1, chosen = '', policy = policy, seen = seen, now = now }), r.choice)
  return cjson.encode(reply)
end
if not k[1] then return refused({ refused = 'key', why = 'removed', now = now }, {}) end -- nor what it was bound to

-- What this request still holds is its own to use again.
local function without_own(gauges)
  for i, limit in ipairs(limits) do
    for _, hold in ipairs(holds) do
      local same = hold[1] == limit.id and (gauges[i].q or hold[5] == gauges[i].start)
      if same then gauges[i].held = math.max(0, gauges[i].held - hold[2]) end
    end
  end
  return gauges
end

local reserved, larger = r.bounds ~= '', nil
if not reserved or ask.unenforced_bounds then
  local gauges = read_gauges(limits, now, ask.calendar)
  if not gauges then return refused({ refused = 'calendar', now = now }, {}) end
  gauges = without_own(gauges)
  if not reserved or r.unenforced == '1' then
    local refusal = refusal_of(limits, gauges, ask, nil, now)
    if refusal then return refused(refusal, {}) end
  end
  larger = r.unenforced ~= '1' and ask.unenforced_bounds and refusal_of(limits, gauges, ask, true, now)
end

local function choose(seen)
  local tried = ask.tried
  local id, by = pick(ask, now, policy, seen)
  if not id and #ask.never < #ask.tried then
    ask.tried = ask.never
    id, by = pick(ask, now, policy, seen), 'asked again'
    ask.tried = tried
  end
  return id, by
end

ask.allowed = account_set(k[2])
ask.enforcing_only = larger and true
local seen = {}
local id, by = choose(seen)
if not id then
  if larger then
    ask.enforcing_only = nil
    if choose({}) then return refused(larger, seen) end
  end
  return refused(absence(ask, now), seen)
end

local chosen, why = choice(id, by, ask.attempt + 1, seen, now, policy)
if not reserved or (ask.unenforced_bounds and (r.unenforced == '1') ~= (chosen.unenforced == true)) then
  release()
  for _, hold in ipairs(reserve(limits, read_gauges(limits, now, ask.calendar), ask, chosen.unenforced)) do
    holds[#holds + 1] = hold
  end
  r.bounds = cjson.encode(chosen.unenforced and ask.unenforced_bounds or ask.bounds)
end
r.unenforced = chosen.unenforced and '1' or ''
local reply = cjson.encode(chosen)
store(id, ask.attempt + 1, why, reply)
redis.call('ZADD', LEASES, now + ask.ttl_ms, ask.id)
if ask.affinity ~= '' then redis.call('SET', affinity_key(ask.affinity), id, 'PX', ask.sticky_ms) end
return reply

-- Accounts: which are ready, which is next, what an answer did to one.
--
-- Accounts that offer the same (wires, kind, models) share an offer, `<wires>:<kind>:<hash>`, and
-- one index, ready:<offer>, a zset by policy score of those that may be chosen now. A model knows
-- its offers (offering:<model>), so a pick reads a few heads and never the pool. Whoever may not be
-- chosen is in `out` with the time at which it is due again (+inf: a person is needed).

local FIELDS = { 'offer', 'weight', 'cap', 'in_flight', 'pass', 'group', 'used_1', 'used_2', 'reset_1',
  'reset_2', 'version', 'probe', 'state', 'errors', 'since_ms', 'exceeded' }
local STEP = 4 -- heads read at a time
local MOST_SEEN = 32 -- and reported at most, where many are overloaded
local MAX_RESTING = 64 -- models remembered for each account: as resting, and as many again as missing
local MAX_COMPARED = 64 -- accounts, or models of an account, that one suspicion or return looks at
local SAME_TIME_MS = 60000 -- two models limited within it: the account is; two credentials refused: perhaps the upstream
local RECENT_MS = 600000 -- an account chosen within it takes part in the balance
local RETEST_SHARE, RETEST_LEAST_MS, RETEST_MOST_MS = 0.05, 1000, 600000 -- of a wait that the upstream told

local function read_account(id, now)
  local v = redis.call('HMGET', account_key(id), unpack(FIELDS))
  if not v[1] then return nil end
  local a = { id = id, now = now, offer = v[1], weight = tonumber(v[2]), cap = tonumber(v[3]), in_flight = tonumber(v[4]) or 0,
    pass = tonumber(v[5]) or 0, group = tonumber(v[6]) or 0, version = tonumber(v[11]),
    tested = v[12] and v[12] ~= '0' and v[12] or nil, state = v[13], errors = tonumber(v[14]) or 0,
    since = tonumber(v[15]) or now, exceeded = v[16], spare = 1, reset_ms = 0 }
  a.probe = a.tested ~= nil
  for window = 1, 2 do
    local used, reset = tonumber(v[6 + window]), tonumber(v[8 + window])
    if used and reset and reset > now then
      a.spare = math.min(a.spare, 1 - used / 100)
      if a.reset_ms == 0 or reset < a.reset_ms then a.reset_ms = reset end
    end
  end
  if a.probe then a.cap = 1 end
  return a
end

-- Puts an account where its numbers say: into ready, or out of it while it is full or not active.
local function index_account(a, policy)
  if a.reset_ms > 0 then redis.call('ZADD', RESETS, a.reset_ms, a.id) end
  if a.state == 'active' and a.in_flight < a.cap then
    redis.call('ZADD', ready_key(a.offer), string.format('%.17g', score(policy, a)), a.id)
  else
    redis.call('ZREM', ready_key(a.offer), a.id)
  end
end

local function is_demo(offer) return string.match(offer, '^%a+:(%a+):') == 'demo' end

-- The offers that serve *model*, as a set: its own and those of any model. The simulated upstream takes
-- part in no comparison.
local function offers_of(model)
  local found = {}
  for _, of in ipairs(model == '*' and { '*' } or { model, '*' }) do
    for _, offer in ipairs(redis.call('SMEMBERS', offering_key(of))) do
      if not is_demo(offer) then found[offer] = true end
    end
  end
  return found
end

-- The sets of offers that compete with *offer*: one for each group of its models that is served alike.
local function rivals_of(offer)
  local found, known = {}, {}
  local models = redis.call('SMEMBERS', models_key(offer))
  for n = 1, math.min(#models, MAX_COMPARED) do
    local offers, names = offers_of(models[n]), {}
    for name in pairs(offers) do names[#names + 1] = name end
    table.sort(names)
    local signature = table.concat(names, ' ')
    if not known[signature] then
      known[signature] = true
      found[#found + 1] = offers
    end
  end
  return found
end

-- Accounts of *offer* that serve requests just now: those that would be next, else some that are full.
local function serving(offer)
  local ids = redis.call('ZRANGE', ready_key(offer), 0, 7)
  if #ids > 0 then return ids end
  return redis.call('SRANDMEMBER', members_key(offer), 16)
end

-- The virtual time of those that *a* shares requests with; nil: it has no rival. Under `ordered` only its
-- own group shares with it; and where some were chosen lately, those that were not do not count: they
-- serve something else.
local function level_of(a, policy)
  local least, least_recent, looked_at = nil, nil, {}
  local function compare(id)
    if id == a.id or looked_at[id] then return end
    looked_at[id] = true
    local v = redis.call('HMGET', account_key(id), 'pass', 'group', 'picked_ms', 'state', 'offer')
    if v[4] ~= 'active' or is_demo(v[5] or '') or (policy == 'ordered' and (tonumber(v[2]) or 0) ~= a.group) then return end
    local pass = tonumber(v[1]) or 0
    if not least or pass < least then least = pass end
    if a.now - (tonumber(v[3]) or 0) < RECENT_MS and (not least_recent or pass < least_recent) then least_recent = pass end
  end
  for _, offers in ipairs(rivals_of(a.offer)) do
    for offer in pairs(offers) do
      for _, id in ipairs(serving(offer)) do compare(id) end
    end
  end
  if not least then -- who takes any model shares with those that take some
    local ids = redis.call('HVALS', NAMES)
    for n = 1, math.min(#ids, MAX_COMPARED) do compare(ids[n]) end
  end
  return least_recent or least
end

-- Brings an account back among the ready, level with them: it neither gets what it missed while it
-- was away, nor has to make up for what it had.
local function rejoin(a, policy)
  local level = not is_demo(a.offer) and level_of(a, policy)
  if level and a.pass ~= level then
    a.pass = level
    redis.call('HSET', account_key(a.id), 'pass', string.format('%.17g', level))
  end
  index_account(a, policy)
end

-- A test that fails shows that nothing has changed since.
local function set_state(a, state, reason, until_ms, now)
  if (a.tested or a.state) ~= state then redis.call('HSET', account_key(a.id), 'since_ms', now) end
  a.state = state
  redis.call('HSET', account_key(a.id), 'state', state, 'reason', reason or '', 'until_ms', until_ms or 0)
  redis.call('DEL', OUT_TOLD)
end

-- Has an account serve one ordinary request, which shows whether it is still what it was out for.
local function begin_test(a)
  a.tested, a.probe, a.cap = a.state, true, 1
  a.state = 'active'
  redis.call('SADD', SOFT, a.id)
  redis.call('HSET', account_key(a.id), 'probe', a.tested, 'state', 'active', 'reason', 'being tested again', 'until_ms', 0)
  redis.call('DEL', OUT_TOLD)
end

-- Tests accounts whose time has come; a burst limit is simply over, and a window that was reset is unspent.
local function wake_due(now, policy)
  local due = redis.call('ZRANGEBYSCORE', OUT, '-inf', now, 'LIMIT', 0, 4)
  for _, id in ipairs(due) do
    redis.call('ZREM', OUT, id)
    local a = read_account(id, now)
    if a and a.state == 'burst_limited' then
      redis.call('SREM', SOFT, id)
      redis.call('HSET', account_key(id), 'probe', '0')
      set_state(a, 'active', '', 0, now)
      rejoin(a, policy)
    elseif a then
      begin_test(a)
      rejoin(a, policy)
    end
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', RESETS, '-inf', now, 'LIMIT', 0, 4)) do
    redis.call('ZREM', RESETS, id)
    local a = read_account(id, now)
    if a then index_account(a, policy) end
  end
end

-- Why a model rests at an account. The score in rest:<account> is the time until when, and this after
-- the decimal point, so that one look finds both.
local REASONS = { overloaded = 0.25, limited = 0.5, suspected = 0.75 }
local NAMED = { [0.25] = 'overloaded', [0.5] = 'limited', [0.75] = 'suspected' }

-- Why *model* rests at *id*, and until when (ms); nothing: it does not.
local function model_rest(id, model, now)
  local lacks = tonumber(redis.call('ZSCORE', lacks_key(id), model) or nil)
  if lacks and lacks > now then return 'missing', lacks end
  local rest = tonumber(redis.call('ZSCORE', rest_key(id), model) or nil)
  if rest and rest > now then return NAMED[rest % 1] or 'overloaded', math.floor(rest) end
end

-- Rests one model at one account. Bounded: of too many, those are forgotten that are back first.
local function rest_model(id, model, why, wait_ms, now)
  local key = why == 'missing' and lacks_key(id) or rest_key(id)
  local until_ms = now + math.max(1, math.floor(wait_ms))
  redis.call('ZADD', key, string.format('%.2f', until_ms + (REASONS[why] or 0)), model)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  local excess = redis.call('ZCARD', key) - MAX_RESTING
  if excess > 0 then redis.call('ZREMRANGEBYRANK', key, 0, excess - 1) end
  local latest = math.max(until_ms, tonumber(redis.call('ZSCORE', RESTED, id) or 0))
  redis.call('ZADD', RESTED, string.format('%.0f', latest), id)
  redis.call('PEXPIRE', rest_key(id), string.format('%.0f', latest - now + 1))
  redis.call('PEXPIRE', lacks_key(id), string.format('%.0f', latest - now + 1))
end

-- What an account does not have is asked of it again: its list of models has changed.
local function forget_missing(id) redis.call('DEL', lacks_key(id)) end

-- All of its models are tried again: an operator has resumed it.
local function forget_rests(id) redis.call('DEL', lacks_key(id), rest_key(id)) end

-- Whether an account other than *id* is ready for *model* at *offers*, and not merely being tested.
local function firm_other(id, offers, model, now)
  for offer in pairs(offers) do
    for _, other in ipairs(redis.call('ZRANGE', ready_key(offer), 0, 15)) do
      if other ~= id and redis.call('SISMEMBER', SOFT, other) == 0 and not model_rest(other, model, now) then return true end
    end
  end
  return false
end

-- Our suspicion may keep out a quarter of the accounts that can serve a model, one at least, and never the
-- last. An account that is being tested serves one request at a time: it cannot be counted on.
local function may_suspect(id, model, now)
  local offers, total, soft = offers_of(model), 0, 0
  for offer in pairs(offers) do total = total + redis.call('SCARD', members_key(offer)) end
  for _, other in ipairs(redis.call('SMEMBERS', SOFT)) do
    if other ~= id and offers[redis.call('HGET', account_key(other), 'offer') or ''] then soft = soft + 1 end
  end
  for _, other in ipairs(redis.call('ZRANGE', RESTED, 0, MAX_COMPARED - 1)) do
    local why = other ~= id and model_rest(other, model, now)
    if why == 'missing' then total = total - 1 elseif why == 'suspected' then soft = soft + 1 end
  end
  return soft < math.max(1, math.floor(total / 4)) and firm_other(id, offers, model, now)
end

-- Whether *a* is the last that serves some other model: then it is not taken from that model as well.
local function is_last_elsewhere(a, now)
  for _, offers in ipairs(rivals_of(a.offer)) do
    if not firm_other(a.id, offers, '', now) then return true end
  end
  return false
end

local function put_out(a, policy, mark, now)
  set_state(a, mark.state, mark.reason, mark.until_ms, now)
  redis.call('ZADD', OUT, mark.retest_ms > 0 and mark.retest_ms or '+inf', a.id)
  redis.call('HSET', account_key(a.id), 'probe', '0')
  index_account(a, policy)
end

local PASSING = { active = true, suspected = true, burst_limited = true }

-- Whether what an account is out for says more than *state*, which a request that began earlier may
-- bring: nothing beats a person's wish or need, and a burst is no news of a spent window.
local function outranks(held, state)
  return held == 'paused' or held == 'credential_dead' or state == 'burst_limited' and not PASSING[held]
end

-- When to test whether a spent window has room after all: after a twentieth of the whole wait, and no
-- later than was planned, however often we are told in between that it has none.
local function retest_of_spent(a, mark, now)
  local ends, whole = now + mark.wait_ms, mark.wait_ms
  if (a.tested or a.state) == mark.state then whole = ends - a.since end
  local wait = math.max(RETEST_LEAST_MS, math.min(RETEST_MOST_MS, RETEST_SHARE * whole))
  local planned = a.state == mark.state and tonumber(redis.call('ZSCORE', OUT, a.id) or nil) or math.huge
  return math.min(now + wait, ends, planned)
end

-- A second model that is limited at an account within a minute shows that the account is.
local function limit_second(a, mark, policy, now)
  local v = redis.call('HMGET', account_key(a.id), 'limited_model', 'limited_ms')
  local limited_ms = tonumber(v[2]) or 0
  redis.call('HSET', account_key(a.id), 'limited_model', mark.model, 'limited_ms', now)
  if not v[1] or v[1] == mark.model or now - limited_ms >= SAME_TIME_MS or a.state ~= 'active' then return end
  local back = now + math.min(mark.wait_ms, SAME_TIME_MS)
  redis.call('SREM', SOFT, a.id)
  put_out(a, policy, { state = 'burst_limited', reason = 'several models are limited', until_ms = back, retest_ms = back }, now)
end

-- Takes an account out for a while because of our suspicion, or this model of it, as far as that is allowed.
local function suspect(a, mark, policy, now)
  local streak = redis.call('HINCRBY', account_key(a.id), 'errors', 1)
  local asked = mark.asked or '*'
  local wait = math.min(mark.most_ms, mark.base_ms * 2 ^ math.min(streak - 1, 20))
  if a.state ~= 'active' or not may_suspect(a.id, asked, now) then return end
  if is_last_elsewhere(a, now) then
    rest_model(a.id, asked, 'suspected', wait, now)
  else
    redis.call('SADD', SOFT, a.id)
    put_out(a, policy, { state = 'suspected', reason = mark.reason, until_ms = now + wait, retest_ms = now + wait }, now)
  end
end

-- Whether a refused credential is only a reason for suspicion: an upstream whose authentication fails refuses all
-- of them, so within a minute it takes one account of one upstream (kind and base URL) out. Remembers which it was.
local function is_doubtful(a, mark, now)
  if not mark.base_ms or a.tested == mark.state or outranks(a.state, mark.state) then return false end
  local v = redis.call('HMGET', account_key(a.id), 'kind', 'base_url')
  local key = refused_upstream_key(redis.sha1hex((v[1] or '') .. ' ' .. (v[2] or '')))
  local id, at_ms = string.match(redis.call('GET', key) or '', '^(.*) (%d+)$')
  local passed_ms = now - (tonumber(at_ms) or 0)
  if id and id ~= a.id and passed_ms >= 0 and passed_ms < SAME_TIME_MS then return true end
  redis.call('SET', key, string.format('%s %.0f', a.id, now), 'PX', SAME_TIME_MS)
  return false
end

-- Whether what an account bills never exceeds the length that a request names. The ChatGPT backend takes no
-- length and may reason unseen; any other account is taken at its word until it has billed more.
local function enforces(a)
  return not a.exceeded and string.match(a.offer, '^%a+:(%a+):') ~= 'chatgpt'
end

-- What an answer did to an account. mark is one of
--   {ok}                                        it answered: clear what was held against it
--   {state, reason, wait_ms, retest_wait_ms}    the upstream said so; a retest of 0: a person is needed,
--                                               of a spent window left out: as is best; a refused credential
--                                               with asked, base_ms, most_ms: only suspected where another
--                                               account of the same upstream was refused a moment ago
--   {soft, asked, reason, base_ms, most_ms}     our suspicion: out for base * 2^(streak-1), most at most;
--                                               asked is the model of the request
--   {model, why, wait_ms}                       this model rests there: it is missing, overloaded or limited;
--                                               the account is well
-- and may carry windows = {{used percent, reset ms[, seconds]}, …}, what the upstream says of its usage
-- windows, primary and secondary; null: nothing. It may carry exceeded = JSON of an answer that was billed with
-- more than its request allowed; the first is remembered, until an operator removes it.
local function apply_mark(id, mark, now, policy)
  local a = read_account(id, now)
  if not a then return end
  for i, w in ipairs(mark.windows or {}) do
    if w ~= cjson.null then
      redis.call('HSET', account_key(id), 'used_' .. i, w[1], 'reset_' .. i, w[2])
      if w[3] then redis.call('HSET', account_key(id), 'length_' .. i, w[3]) end
    end
  end
  if mark.exceeded then redis.call('HSETNX', account_key(id), 'exceeded', mark.exceeded) end
  if mark.ok then
    if a.errors > 0 or a.probe then
      redis.call('HSET', account_key(id), 'errors', 0, 'probe', '0')
      if a.state == 'active' and a.probe then
        redis.call('SREM', SOFT, id)
        set_state(a, 'active', '', 0, now)
        a = read_account(id, now)
        rejoin(a, policy)
      end
    elseif mark.windows and a.state == 'active' then
      index_account(read_account(id, now), policy)
    end
  elseif mark.model then
    rest_model(id, mark.model, mark.why or 'overloaded', mark.wait_ms, now)
    if mark.why == 'limited' then limit_second(a, mark, policy, now) end
  elseif mark.soft or mark.state == 'credential_dead' and is_doubtful(a, mark, now) then
    suspect(a, mark, policy, now)
  elseif mark.state and not outranks(a.state, mark.state) then
    redis.call('SREM', SOFT, id)
    local retest = mark.retest_wait_ms
    put_out(a, policy, { state = mark.state, reason = mark.reason,
      until_ms = mark.wait_ms > 0 and now + mark.wait_ms or 0,
      retest_ms = not retest and retest_of_spent(a, mark, now) or retest > 0 and now + retest or 0 }, now)
  end
end

-- Returns whether there is such an account.
local function free_slot(id, policy, now)
  local a = read_account(id, now)
  if not a then return false end
  a.in_flight = math.max(0, a.in_flight - 1)
  redis.call('HSET', account_key(id), 'in_flight', a.in_flight)
  if a.state == 'active' then index_account(a, policy) end
  return true
end

local function take_slot(a, policy)
  a.pass = a.pass + 1 / effective_weight(policy, a)
  a.in_flight = a.in_flight + 1
  redis.call('HSET', account_key(a.id), 'in_flight', a.in_flight, 'pass', string.format('%.17g', a.pass), 'picked_ms', a.now)
  index_account(a, policy)
end

-- The accounts a key is bound to, as a set; nothing where it may use all of them.
local function account_set(list)
  local ids, set = list and list ~= '' and cjson.decode(list) or {}, {}
  if #ids == 0 then return nil end
  for _, id in ipairs(ids) do set[id] = true end
  return set
end

-- Whether the simulated upstream serves *model*: one of its own, in a pool without an account in use.
local function demo_serves(model)
  if string.sub(model, 1, 4) ~= 'demo' then return false end
  for _, id in ipairs(redis.call('HVALS', NAMES)) do
    local v = redis.call('HMGET', account_key(id), 'offer', 'state')
    if v[1] and not is_demo(v[1]) and v[2] ~= 'paused' and v[2] ~= 'credential_dead' then return false end
  end
  return true
end

-- The offers that can serve this request: those of the model and those of any model.
local function offers_for(ask)
  local found, unfit_kinds, demo = {}, {}, nil
  for _, kind in ipairs(ask.unfit_kinds or {}) do unfit_kinds[kind] = true end
  for _, of in ipairs({ ask.model, '*' }) do
    for _, offer in ipairs(redis.call('SMEMBERS', offering_key(of))) do
      local wires, kind = string.match(offer, '^(%a+):(%a+):')
      if (ask.wire == '' or string.find(wires, ask.wire, 1, true))
        and (not ask.kinds or string.find(ask.kinds, kind, 1, true)) and not unfit_kinds[kind]
        and not (ask.enforcing_only and kind == 'chatgpt') then
        if kind == 'demo' and demo == nil then demo = ask.demo and demo_serves(ask.model) or false end
        if kind ~= 'demo' or demo then found[offer] = true end
      end
    end
  end
  return found
end

-- Whether the process that sent the request lacks the key of the credential of *id*. Others may have it.
local function is_unreadable(ask, id)
  if not ask.unreadable then return false end
  for _, other in ipairs(ask.unreadable) do
    if other == id then return true end
  end
  return false
end

-- Says why *id* may not serve this request although it is ready, or nothing if it may.
local function unfit(id, ask, tried, any_rested, now)
  if tried[id] then return 'tried' end
  if is_unreadable(ask, id) then return 'credential unreadable' end
  if ask.enforcing_only and redis.call('HEXISTS', account_key(id), 'exceeded') == 1 then return 'may exceed its length' end
  return any_rested and model_rest(id, ask.model, now) or nil
end

-- One account by name, if it is ready and fit: for affinity, and for keys with a list of accounts.
local function ready_score(id, offers)
  local offer = redis.call('HGET', account_key(id), 'offer')
  return offer and offers[offer] and tonumber(redis.call('ZSCORE', ready_key(offer), id))
end

-- The only account that may serve a request: the one it names, or the owner of what it speaks of.
local function pinned_to(ask)
  if ask.pin ~= '' or not ask.ownership or ask.ownership == '' then return ask.pin end
  local owner = redis.call('GET', owner_key(ask.ownership))
  return owner and redis.call('EXISTS', account_key(owner)) == 1 and owner or ''
end

-- Why *id*, where a conversation has been, is not even looked at for its next turn.
local function why_not_home(id, allowed)
  local state, in_flight, cap, probe = unpack(redis.call('HMGET', account_key(id), 'state', 'in_flight', 'cap', 'probe'))
  if not state then return 'removed' end
  if allowed and not allowed[id] then return 'not for this key' end
  if state ~= 'active' then return state end
  if tonumber(in_flight or 0) >= (probe == '1' and 1 or tonumber(cap)) then return probe == '1' and 'being tested' or 'full' end
  return 'does not fit'
end

-- The group of an account with this score under `ordered`; one that is being tested is a little below it.
local function group_of(s) return math.floor((s + 2e11) / 1e12) end

-- Picks the account with the lowest score. ask = {model, wire, unfit_kinds, demo, allowed (set or nil),
-- tried (list), unreadable (list), affinity, pin, enforcing_only (only accounts that `enforces` is true of)}; seen
-- collects {id, score, why not} of the accounts examined, the score false of an account that could have been by affinity alone.
local function pick(ask, now, policy, seen)
  local pin = pinned_to(ask)
  local offers, tried = offers_for(ask), {}
  for _, id in ipairs(ask.tried or {}) do tried[id] = true end
  redis.call('ZREMRANGEBYSCORE', RESTED, '-inf', now)
  local any_rested = redis.call('ZCARD', RESTED) > 0
  local at_home, home_score
  local function consider(id, s)
    if id == at_home then return true end
    local why = unfit(id, ask, tried, any_rested, now)
    if #seen < MOST_SEEN or not why then seen[#seen + 1] = { id, s, why or '' } end
    return not why
  end

  local home = pin ~= '' and pin or (ask.affinity ~= '' and redis.call('GET', affinity_key(ask.affinity)))
  if home then
    local s = (not ask.allowed or ask.allowed[home]) and ready_score(home, offers)
    if not s then
      seen[#seen + 1] = { home, false, 'its conversation, but ' .. why_not_home(home, ask.allowed) }
    elseif consider(home, s) then
      if pin ~= '' or policy ~= 'ordered' or group_of(s) <= 0 then return home, 'affinity' end
      at_home, home_score = home, s
    end
  end
  if pin ~= '' then return nil end

  -- a conversation leaves its account for a better group as soon as that is well
  local best, best_score
  local function chosen()
    if at_home and not (best and group_of(best_score) < group_of(home_score)) then return at_home, 'affinity' end
    return best, 'policy'
  end
  if ask.allowed then
    for id in pairs(ask.allowed) do
      local s = id ~= at_home and ready_score(id, offers)
      if s and consider(id, s) and (not best or s < best_score) then best, best_score = id, s end
    end
    return chosen()
  end
  for offer in pairs(offers) do
    local first, found = 0, false
    repeat
      local heads = redis.call('ZRANGE', ready_key(offer), first, first + STEP - 1, 'WITHSCORES')
      for i = 1, #heads, 2 do
        local s = tonumber(heads[i + 1])
        if best and s >= best_score then
          seen[#seen + 1] = { heads[i], s, 'higher score' }
          found = true
          break
        end
        if consider(heads[i], s) then
          best, best_score, found = heads[i], s, true
          break
        end
      end
      first = first + STEP
    until found or #heads < STEP * 2
  end
  return chosen()
end

-- How many accounts of the pool are in which state.
local function states_of_pool(total)
  local out = redis.call('ZRANGE', OUT, 0, -1)
  local states = { active = total > #out and total - #out or nil }
  for _, id in ipairs(out) do
    local state = redis.call('HGET', account_key(id), 'state') or 'removed'
    states[state] = (states[state] or 0) + 1
  end
  return states
end

-- The accounts that would fit this request, whatever state they are in.
local function fitting(ask, offers)
  local ids, pin = {}, pinned_to(ask)
  if pin ~= '' or ask.allowed then
    for id in pairs(pin ~= '' and { [pin] = true } or ask.allowed) do
      if offers[redis.call('HGET', account_key(id), 'offer') or ''] then ids[#ids + 1] = id end
    end
    return ids
  end
  for offer in pairs(offers) do
    for _, id in ipairs(redis.call('SMEMBERS', members_key(offer))) do ids[#ids + 1] = id end
  end
  return ids
end

-- What keeps an account from serving *model*, and when that ends (ms, nil: unknown).
local OBSTACLES = { paused = 'paused', credential_dead = 'dead', window_spent = 'spent', burst_limited = 'limited',
  suspected = 'failing', credential_expired = 'failing' }

local function obstacle_at(id, model, now)
  local why, back = model_rest(id, model, now)
  if why == 'missing' then return 'missing' end
  local v = redis.call('HMGET', account_key(id), 'state', 'until_ms')
  local what = OBSTACLES[v[1]]
  if what == 'spent' or what == 'paused' or what == 'dead' then return what, tonumber(v[2]) end
  local due = tonumber(redis.call('ZSCORE', OUT, id) or nil)
  if what then return what, math.max(due or now, back or 0) end
  if why == 'limited' then return 'limited', back end
  return why and 'failing' or 'busy', back
end

-- Why no account could be picked: how many are in which state, what stands against those that would fit
-- (able = {what: how many}), when the first of them is due, and when the first spent one is reset.
local function absence(ask, now)
  local total, offers = redis.call('HLEN', NAMES), offers_for(ask)
  local able, due, resets, fit = {}, nil, nil, fitting(ask, offers)
  for _, id in ipairs(fit) do
    local what, back = obstacle_at(id, ask.model, now)
    if what ~= 'missing' and what ~= 'paused' and is_unreadable(ask, id) then what, back = 'unreadable', nil end
    able[what] = (able[what] or 0) + 1
    if back and back > now then
      if what == 'spent' then resets = math.min(resets or back, back) else due = math.min(due or back, back) end
    end
  end
  return { refused = 'no_accounts', states = states_of_pool(total), total = total, offered = #fit > 0,
    known = next(offers_of(ask.model)) ~= nil, able = able, model = ask.model, resets_ms = resets or 0,
    wait_ms = math.max(0, (due or resets or now) - now), now = now }
end

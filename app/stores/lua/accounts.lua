-- Accounts: which are ready, which is next, what an answer did to one.
--
-- Accounts that offer the same (wires, kind, models) share an offer, `<wires>:<kind>:<hash>`, and
-- one index, ready:<offer>, a zset by policy score of those that may be chosen now. A model knows
-- its offers (offering:<model>), so a pick reads a few heads and never the pool. Whoever may not be
-- chosen is in `out` with the time at which it is due again (+inf: a person is needed).

local FIELDS = { 'offer', 'weight', 'cap', 'in_flight', 'pass', 'group', 'used_1', 'used_2', 'reset_1',
  'reset_2', 'version', 'probe', 'state', 'errors', 'since_ms' }
local STEP = 4 -- heads read at a time
local MOST_SEEN = 32 -- and told at most, where many are overloaded
local RETEST_SHARE, RETEST_LEAST_MS, RETEST_MOST_MS = 0.05, 1000, 600000 -- of a wait that the upstream told

local function read_account(id, now)
  local v = redis.call('HMGET', account_key(id), unpack(FIELDS))
  if not v[1] then return nil end
  local a = { id = id, offer = v[1], weight = tonumber(v[2]), cap = tonumber(v[3]), in_flight = tonumber(v[4]) or 0,
    pass = tonumber(v[5]) or 0, group = tonumber(v[6]) or 0, version = tonumber(v[11]),
    tested = v[12] and v[12] ~= '0' and v[12] or nil, state = v[13], errors = tonumber(v[14]) or 0,
    since = tonumber(v[15]) or now, spare = 1, reset_ms = 0 }
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

-- The least virtual time of those that are ready to serve a model of *offer*; nil: there is nobody.
local function least_pass(offer)
  local least
  for _, model in ipairs(redis.call('SMEMBERS', models_key(offer))) do
    for _, rival in ipairs(redis.call('SMEMBERS', offering_key(model))) do
      local head = redis.call('ZRANGE', ready_key(rival), 0, 0)[1]
      local pass = head and tonumber(redis.call('HGET', account_key(head), 'pass')) or 0
      if head and (not least or pass < least) then least = pass end
    end
  end
  return least
end

-- Brings an account back among the ready, level with them: it neither gets what it missed while it
-- was away, nor has to make up for what it had.
local function rejoin(a, policy)
  local least = least_pass(a.offer)
  if least and a.pass ~= least then
    a.pass = least
    redis.call('HSET', account_key(a.id), 'pass', string.format('%.17g', least))
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

-- Our suspicion may keep out a quarter of the pool, one account at least, and never the last. An account
-- that is being tested serves one request at a time: nobody can count on it.
local function may_suspect(id)
  local accounts, soft, out = redis.call('HLEN', NAMES), 0, redis.call('ZCARD', OUT)
  for _, other in ipairs(redis.call('SMEMBERS', SOFT)) do
    if other ~= id then
      soft = soft + 1
      if not redis.call('ZSCORE', OUT, other) then out = out + 1 end
    end
  end
  return soft < math.max(1, math.floor(accounts / 4)) and out < accounts - 1
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

-- What an answer did to an account. mark is one of
--   {ok}                                        it answered: clear what was held against it
--   {state, reason, wait_ms, retest_wait_ms}    the upstream said so; a retest of 0: a person is needed,
--                                               of a spent window left out: as is best
--   {soft, reason, base_ms, most_ms}            our suspicion: out for base * 2^(streak-1), most at most
--   {model, wait_ms}                            this model is overloaded there; the account is well
-- and may carry windows = {{used percent, reset ms[, seconds]}, …}, what the upstream says of its usage
-- windows, primary and secondary; null: nothing.
local function apply_mark(id, mark, now, policy)
  local a = read_account(id, now)
  if not a then return end
  for i, w in ipairs(mark.windows or {}) do
    if w ~= cjson.null then
      redis.call('HSET', account_key(id), 'used_' .. i, w[1], 'reset_' .. i, w[2])
      if w[3] then redis.call('HSET', account_key(id), 'length_' .. i, w[3]) end
    end
  end
  if mark.ok then
    if a.errors > 0 or a.probe then
      redis.call('HSET', account_key(id), 'errors', 0, 'probe', '0')
      if a.state == 'active' then
        redis.call('SREM', SOFT, id)
        set_state(a, 'active', '', 0, now)
        a = read_account(id, now)
        rejoin(a, policy)
      end
    elseif mark.windows and a.state == 'active' then
      index_account(read_account(id, now), policy)
    end
  elseif mark.model then
    redis.call('ZADD', OVERLOADED, now + mark.wait_ms, id .. '|' .. mark.model)
  elseif mark.soft then
    local streak = redis.call('HINCRBY', account_key(id), 'errors', 1)
    if a.state == 'active' and may_suspect(id) then
      local wait = math.min(mark.most_ms, mark.base_ms * 2 ^ math.min(streak - 1, 20))
      redis.call('SADD', SOFT, id)
      put_out(a, policy, { state = 'suspected', reason = mark.reason, until_ms = now + wait, retest_ms = now + wait }, now)
    end
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
  redis.call('HSET', account_key(a.id), 'in_flight', a.in_flight, 'pass', string.format('%.17g', a.pass))
  index_account(a, policy)
end

-- The accounts a key is bound to, as a set; nothing where it may use all of them.
local function account_set(list)
  local ids, set = list and list ~= '' and cjson.decode(list) or {}, {}
  if #ids == 0 then return nil end
  for _, id in ipairs(ids) do set[id] = true end
  return set
end

-- The offers that can serve this request: those of the model and those of any model.
local function offers_for(ask)
  local found, unfit_kinds = {}, {}
  for _, kind in ipairs(ask.unfit_kinds or {}) do unfit_kinds[kind] = true end
  for _, of in ipairs({ ask.model, '*' }) do
    for _, offer in ipairs(redis.call('SMEMBERS', offering_key(of))) do
      local wires, kind = string.match(offer, '^(%a+):(%a+):')
      if (ask.wire == '' or string.find(wires, ask.wire, 1, true)) and (kind ~= 'demo' or ask.demo)
        and (not ask.kinds or string.find(ask.kinds, kind, 1, true)) and not unfit_kinds[kind] then
        found[offer] = true
      end
    end
  end
  return found
end

-- Says why *id* may not serve this request although it is ready, or nothing if it may.
local function unfit(id, ask, tried, any_overloaded, now)
  if tried[id] then return 'tried' end
  if any_overloaded then
    local over = redis.call('ZSCORE', OVERLOADED, id .. '|' .. ask.model)
    if over and tonumber(over) > now then return 'overloaded' end
  end
  return nil
end

-- One account by name, if it is ready and fit: for affinity, and for keys with a list of accounts.
local function ready_score(id, offers)
  local offer = redis.call('HGET', account_key(id), 'offer')
  return offer and offers[offer] and tonumber(redis.call('ZSCORE', ready_key(offer), id))
end

-- Whether any account could serve this request, if only it were ready.
local function offered(ask)
  local offers = offers_for(ask)
  if not ask.allowed then return next(offers) ~= nil end
  for id in pairs(ask.allowed) do
    if offers[redis.call('HGET', account_key(id), 'offer') or ''] then return true end
  end
  return false
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

-- Picks the account with the lowest score. ask = {model, wire, unfit_kinds, demo, allowed (set or nil),
-- tried (list), affinity, pin}; seen collects {id, score, why not} of whoever was looked at, the score
-- false of an account that could have been by affinity alone.
local function pick(ask, now, policy, seen)
  local pin = pinned_to(ask)
  local offers, tried = offers_for(ask), {}
  for _, id in ipairs(ask.tried or {}) do tried[id] = true end
  redis.call('ZREMRANGEBYSCORE', OVERLOADED, '-inf', now)
  local any_overloaded = redis.call('ZCARD', OVERLOADED) > 0
  local function consider(id, s)
    local why = unfit(id, ask, tried, any_overloaded, now)
    if #seen < MOST_SEEN or not why then seen[#seen + 1] = { id, s, why or '' } end
    return not why
  end

  local home = pin ~= '' and pin or (ask.affinity ~= '' and redis.call('GET', affinity_key(ask.affinity)))
  if home then
    local s = (not ask.allowed or ask.allowed[home]) and ready_score(home, offers)
    if not s then
      seen[#seen + 1] = { home, false, 'its conversation, but ' .. why_not_home(home, ask.allowed) }
    elseif consider(home, s) then
      return home, 'affinity'
    end
  end
  if pin ~= '' then return nil end

  local best, best_score
  if ask.allowed then
    for id in pairs(ask.allowed) do
      local s = ready_score(id, offers)
      if s and consider(id, s) and (not best or s < best_score) then best, best_score = id, s end
    end
    return best, 'policy'
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
  return best, 'policy'
end

-- Why nobody could be picked: how many are in which state, when the first is due again, and whether
-- the request is one for this pool at all.
local function absence(ask, now)
  local out, total = redis.call('ZRANGE', OUT, 0, -1, 'WITHSCORES'), redis.call('HLEN', NAMES)
  local active = total - #out / 2
  local states = { active = active > 0 and active or nil }
  for i = 1, #out, 2 do
    local state = redis.call('HGET', account_key(out[i]), 'state')
    states[state] = (states[state] or 0) + 1
  end
  local due = tonumber(out[2] ~= 'inf' and out[2] or nil)
  local overloaded, suffix = redis.call('ZRANGE', OVERLOADED, 0, -1, 'WITHSCORES'), '|' .. ask.model
  for i = 1, #overloaded, 2 do
    if string.sub(overloaded[i], -#suffix) == suffix then
      due = math.min(due or math.huge, tonumber(overloaded[i + 1]))
      break
    end
  end
  return { refused = 'no_accounts', states = states, total = total, offered = offered(ask),
    wait_ms = due and math.max(0, due - now) or 0, now = now }
end

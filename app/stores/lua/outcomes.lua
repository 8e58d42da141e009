-- Outcomes: how the result of an attempt changes its account.

local SAME_TIME_MS = 60000 -- failures of two models, or of two credentials, within this time have one cause
local RETEST_SHARE, RETEST_MIN_MS, RETEST_MAX_MS = 0.05, 1000, 600000 -- when to retest, as a share of the reported wait

-- Returns the set of accounts a key is bound to; nothing if it may use any account.
local function account_set(list)
  local ids, set = list and list ~= '' and cjson.decode(list) or {}, {}
  if #ids == 0 then return nil end
  for _, id in ipairs(ids) do set[id] = true end
  return set
end

-- Returns whether an account other than *id* is ready for *model* at *offers*, does not come last
-- and is not being tested; if *allowed* is given, one of these accounts.
local function has_reliable_other(id, offers, model, now, allowed)
  if allowed then
    for other in pairs(allowed) do
      local offer = other ~= id and redis.call('HGET', account_key(other), 'offer')
      local its_score = offer and offers[offer] and tonumber(redis.call('ZSCORE', ready_key(offer), other) or nil)
      local is_reliable = its_score and its_score < COMES_LAST and redis.call('SISMEMBER', SOFT, other) == 0
      if is_reliable and not model_rest(other, model, now) then return true end
    end
    return false
  end
  for offer in pairs(offers) do
    local ready = redis.call('ZRANGEBYSCORE', ready_key(offer), '-inf', '(' .. COMES_LAST, 'LIMIT', 0, 16)
    for _, other in ipairs(ready) do
      if other ~= id and redis.call('SISMEMBER', SOFT, other) == 0 and not model_rest(other, model, now) then return true end
    end
  end
  return false
end

-- Returns whether *id* may be taken out by suspicion: at most a quarter of the accounts of a model, but one at
-- least, and never the last, nor the last of *allowed*, the accounts of the failed request's key (nothing: any). An
-- account that is being tested does not count: it serves one request at a time.
local function may_suspect(id, model, now, allowed)
  local offers, total, soft = offers_of(model, redis.call('HGET', account_key(id), 'offer')), 0, 0
  for offer in pairs(offers) do total = total + redis.call('SCARD', members_key(offer)) end
  for _, other in ipairs(redis.call('SMEMBERS', SOFT)) do
    if other ~= id and offers[redis.call('HGET', account_key(other), 'offer') or ''] then soft = soft + 1 end
  end
  for _, other in ipairs(redis.call('ZRANGE', RESTED, 0, MAX_COMPARED - 1)) do
    local reason = other ~= id and model_rest(other, model, now)
    if reason == 'missing' then total = total - 1 elseif reason == 'suspected' then soft = soft + 1 end
  end
  return soft < math.max(1, math.floor(total / 4)) and has_reliable_other(id, offers, model, now, allowed)
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

-- States of accounts whose upstream named no end: they end by a test, so `until_ms` is the time of the next one.
local ENDS_BY_TEST = { payment_required = true }

-- Returns when to test a spent or unpaid account: after a twentieth of the total wait, and no later than planned before,
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

-- Takes an account, or only this model at it, out for a while on suspicion, as far as `may_suspect` allows. *key* is
-- the API key of the failed request, if one failed.
local function suspect(account, outcome, policy, now, key)
  local streak = redis.call('HINCRBY', account_key(account.id), 'errors', 1)
  local requested_model = outcome.asked or '*'
  local wait = math.min(outcome.most_ms, outcome.base_ms * 2 ^ math.min(streak - 1, 20))
  if account.state ~= 'active' then return end
  local allowed = key and account_set(redis.call('HGET', api_key_key(key), 'accounts'))
  if not may_suspect(account.id, requested_model, now, allowed) then return end
  if is_last_elsewhere(account, now) then
    rest_model(account.id, requested_model, 'suspected', wait, now)
  else
    redis.call('SADD', SOFT, account.id)
    deactivate(account, policy, { state = 'suspected', reason = outcome.reason, until_ms = now + wait,
      retest_ms = now + wait }, now)
  end
end

-- Returns whether a refused credential is only suspect. An upstream whose authentication is broken refuses every
-- credential, and any upstream may refuse the requests of one caller. So within a minute only one account of the pool
-- is taken out; its id is stored.
local function is_doubtful(account, outcome, now)
  if not outcome.base_ms or account.tested == outcome.state or outranks(account.state, outcome.state) then return false end
  local id, at_ms = string.match(redis.call('GET', REFUSED_CREDENTIAL) or '', '^(.*) (%d+)$')
  local passed_ms = now - (tonumber(at_ms) or 0)
  if id and id ~= account.id and passed_ms >= 0 and passed_ms < SAME_TIME_MS then return true end
  redis.call('SET', REFUSED_CREDENTIAL, string.format('%s %.0f', account.id, now), 'PX', SAME_TIME_MS)
  return false
end

-- Applies an outcome that is not ok; see apply_outcome.
local function apply_failure(account, outcome, policy, now, key) -- rare
  if outcome.model then
    rest_model(account.id, outcome.model, outcome.why or 'overloaded', outcome.wait_ms, now)
    if outcome.why == 'limited' then limit_second(account, outcome, policy, now) end
  elseif outcome.soft or outcome.state == 'credential_dead' and is_doubtful(account, outcome, now) then
    suspect(account, outcome, policy, now, key)
  elseif outcome.state and not outranks(account.state, outcome.state) then
    redis.call('SREM', SOFT, account.id)
    local retest = outcome.retest_wait_ms
    local retest_ms = not retest and retest_of_spent(account, outcome, now) or retest > 0 and now + retest or 0
    local until_ms = outcome.wait_ms > 0 and now + outcome.wait_ms or 0
    deactivate(account, policy, { state = outcome.state, reason = outcome.reason, retest_ms = retest_ms,
      until_ms = ENDS_BY_TEST[outcome.state] and math.floor(retest_ms) or until_ms }, now)
  end
end

-- Applies the outcome of a request of *key* (nothing: of a job) to its account. outcome is one of
--   {ok}                                        it answered: its errors are cleared
--   {state, reason, wait_ms, retest_wait_ms}    the upstream reported it; a retest of 0: an operator has to act,
--                                               absent for a spent or unpaid account: chosen here; a refused credential
--                                               with `asked`, base_ms, most_ms: only suspected where another
--                                               account of the pool was refused a moment ago
--   {soft, `asked`, reason, base_ms, most_ms}   suspicion: out for base * 2^(streak-1), at most most_ms;
--                                               `asked` is the requested model
--   {model, why, wait_ms}                       this model rests there: it is missing, overloaded or limited;
--                                               the account is well
-- and may have windows = {{used percent, reset ms[, seconds]}, …}, the usage windows that the upstream reported,
-- primary and secondary; null: not reported. It may have exceeded = JSON of a response that was billed with
-- more than its request allowed; the first is stored until an operator removes it. A failure may have unanswered =
-- why the account did not answer: one that has never answered anything then comes last until it does.
-- Returns the account where the outcome changes nothing, as in nearly all requests: it need not be read again.
local function apply_outcome(id, outcome, now, policy, key)
  local account = read_account(id, now)
  if not account then return nil end
  local is_as_before = account.errors == 0 and not account.probe and not account.unproven
  if outcome.ok and is_as_before and not outcome.windows and not outcome.exceeded then return account end
  for i, window in ipairs(outcome.windows or {}) do
    if window ~= cjson.null then
      redis.call('HSET', account_key(id), 'used_' .. i, window[1], 'reset_' .. i, window[2])
      if window[3] then redis.call('HSET', account_key(id), 'length_' .. i, window[3]) end
    end
  end
  if outcome.exceeded then redis.call('HSETNX', account_key(id), 'exceeded', outcome.exceeded) end
  if outcome.ok then
    forget_unproven(account, policy)
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
    if outcome.unanswered then note_unanswered(account, outcome.unanswered) end
    apply_failure(account, outcome, policy, now, key)
  end
end

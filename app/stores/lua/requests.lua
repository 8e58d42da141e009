-- Open requests: what one holds, and how it gives it back.
--
-- r:<id> is a hash {key, account, attempt, model, endpoint, affinity, started_ms, day_ms, bounds, unenforced,
-- holds, charges, why, choice, expired}; `leases` has its deadline. bounds and holds are those of the attempt that
-- runs ('' and none but parallel requests where none does), charges what earlier ones were charged when they ended.
-- A lease that ran out gives its slots back at once and is charged its bounds, until a late settlement corrects that.

local CLAIM_MS = 3600000 -- how long a key's claim on a conversation lasts that no answer has confirmed: an hour
local OWNED_MS = 2592000000 -- how long an account is remembered as the owner of a conversation: 30 days
local LATE_MS = 86400000 -- how long a late settlement is still understood: a day
local CORRECTABLE_MS = 2592000000 -- how long a lease that ran out waits for its settlement: 30 days
local MAX_MODELS = 100 -- of one key and day that have a name of their own in roll-ups
local OTHER = '(other)' -- under which the rest are added up: names are the client's to invent
local NAMES_MS = 3 * 86400000
local SWEEP = 4 -- overdue leases one call takes back
local MOST_OUT = 16 -- accounts that a decision remembers as out

local HOUR_MS = 3600000
local SHORTEST_DAY_MS = 23 * HOUR_MS -- that on which clocks go forward

-- The figures of a ledger row that roll-ups add up; `requests` and `errors` are counted.
local FIGURES = { 'input_tokens', 'output_tokens', 'cached_tokens', 'reasoning_tokens', 'cost', 'waste_cost',
  'first_ms', 'total_ms', 'unreported_input_tokens', 'unreported_output_tokens', 'unreported_cost' }

-- The figures that limits count. The unreported ones are what an upstream that reported no usage can have billed
-- beyond the estimate in the others: strict limits are charged both, balanced ones the estimate.
local CHARGED = { 'input_tokens', 'output_tokens', 'cost', 'ceiling_cost', 'unreported_input_tokens',
  'unreported_output_tokens', 'unreported_cost' }

-- Checks what one attempt of a request is charged.
local function check_charge(charge)
  check(charge, { account = 'text', input_tokens = 'figure', output_tokens = 'figure', cost = '?figure',
    ceiling_cost = '?figure', unreported_input_tokens = '?figure', unreported_output_tokens = '?figure',
    unreported_cost = '?figure' })
end

local MAX_FIGURE = 2 ^ 53 -- as far as doubles are exact

-- Checks what totals and limits are made of; the rest of a row is stored as it is.
local function check_row(row)
  if type(row) ~= 'table' or type(row.key) ~= 'string' or type(row.account) ~= 'string' or type(row.model) ~= 'string'
    or type(row.source) ~= 'string' or #row.key + #row.account + #row.model > MAX_TEXT then refuse('row') end
  if not is_count(row.at_ms) or not is_count(row.status) then refuse('at_ms') end
  if row.attempts ~= nil and type(row.attempts) ~= 'table' then refuse('attempts') end
  local n = row.ceiling_cost
  if n ~= nil and not (type(n) == 'number' and n >= -MAX_FIGURE and n <= MAX_FIGURE) then refuse('ceiling_cost') end
  check_attempts(row.attempts)
  for _, attempt in ipairs(row.attempts or {}) do
    if attempt.input_tokens ~= nil then check_charge(attempt) end
  end
  for _, figure in ipairs(FIGURES) do
    n = row[figure]
    if n == cjson.null then
      row[figure] = nil
    elseif n ~= nil and not (type(n) == 'number' and n >= -MAX_FIGURE and n <= MAX_FIGURE and n % 1 == 0) then
      refuse(figure)
    end
  end
end

-- Adds a row to the totals in a hash; says whether it is the first of its kind there. A correction is
-- not another request.
local function tally(key, prefix, row)
  local first = false
  if row.source ~= 'corrected' then
    first = redis.call('HINCRBY', key, prefix .. 'requests', 1) == 1
    if row.status >= 400 then redis.call('HINCRBY', key, prefix .. 'errors', 1) end
  end
  for _, figure in ipairs(FIGURES) do
    local n = row[figure]
    if type(n) == 'number' and n ~= 0 then redis.call('HINCRBY', key, prefix .. figure, string.format('%.0f', n)) end
  end
  return first
end

-- Adds a row to the roll-up of its hour or day. Its beginning is noted, so that nobody has to look for
-- it; where it is over, its summary is made anew.
local function roll(span, start_ms, length_ms, who, row, now, by_account)
  if tally(rollup_key(span, start_ms), who, row) then
    local start = string.format('%.0f', start_ms / 1000)
    redis.call('ZADD', rollup_starts_key(span), start, start)
  end
  if by_account then roll_attempts(rollup_key(span, start_ms), row, by_account) end
  if now - start_ms >= length_ms then redis.call('DEL', summary_key(span, start_ms)) end
end

-- Returns under which name the roll-ups have a row's model.
local function counted_model(row)
  local names, name = rollup_names_key(row.day_ms), row.key .. '|' .. row.model
  if redis.call('HEXISTS', names, name) == 1 then return row.model end
  if tonumber(redis.call('HGET', names, row.key) or '0') >= MAX_MODELS then return OTHER end
  redis.call('HINCRBY', names, row.key, 1)
  redis.call('HSET', names, name, 1)
  redis.call('PEXPIRE', names, NAMES_MS)
  return row.model
end

-- The figures of a row by account: a failed attempt counts for the account that billed it, as no request. A
-- correction is of the last attempt alone.
local function shares(row)
  local found, own = {}, row
  if row.source == 'corrected' then return { row } end
  for _, attempt in ipairs(row.charges or row.attempts or {}) do
    if attempt.input_tokens then
      if own == row then
        own = {}
        for name, value in pairs(row) do own[name] = value end
      end
      local share = { account = attempt.account, source = 'corrected' }
      for _, figure in ipairs(CHARGED) do
        share[figure] = attempt[figure]
        if attempt[figure] then own[figure] = (own[figure] or 0) - attempt[figure] end
      end
      found[#found + 1] = share
    end
  end
  table.insert(found, 1, own)
  return found
end

-- Writes one ledger row and adds it to its hour, its day and what its key used ever. *present* is an
-- account that is known to exist.
local function book(row, why, present)
  local by_account = attempts_by_account(row)
  local rolled = not is_plain(row) and by_account or nil
  row.attempts_counted = rolled and true or nil
  if row.attempts and #row.attempts == 0 then row.attempts = nil end -- cjson would make it an object
  local model = counted_model(row)
  if model ~= row.model then row.counted_as = model end
  local id = redis.call('XADD', LEDGER, '*', 'row', cjson.encode(row), 'why', why or '')
  local now = tonumber(string.match(id, '^%d+'))
  for _, share in ipairs(shares(row)) do
    local who, counted = row.key .. '|' .. share.account .. '|' .. model .. '|', share.source == row.source and rolled
    roll('h', row.at_ms - row.at_ms % HOUR_MS, HOUR_MS, who, share, now, counted)
    roll('d', row.day_ms, SHORTEST_DAY_MS, who, share, now, counted)
  end
  tally(used_key(row.key), '', row)
  count_attempts(by_account, present)
  if rolled and row.attempts then count_streaks(row) end
  return id
end

-- What a row's usage comes to under a limit on *what*: the row has fields of the limits' names. A strict limit
-- counts what may have been billed, a balanced one what probably was.
local function used(row, what, balanced)
  if what == 'requests' then return 1 end
  if what == 'total_tokens' then return used(row, 'input_tokens', balanced) + used(row, 'output_tokens', balanced) end
  local amount = row[what] or (what == 'cost' and row.ceiling_cost) or 0 -- without a price it is not free
  return amount + (not balanced and row['unreported_' .. what] or 0)
end

-- Turns holds into what *row* used, without what was charged when earlier attempts ended.
local function settle_holds(holds, row, charges, now, charged)
  for _, hold in ipairs(holds) do
    local what, balanced = hold[3], hold[6]
    local actual = used(row, what, balanced)
    for _, charge in ipairs(charges) do actual = actual - used(charge, what, balanced) end
    settle_hold(hold, actual, now, charged and hold[2])
  end
end

-- The limits of a key and of the pool that count requests for *model*; of a stored answer those alone that count
-- requests.
local function limits_for(key_limits, pool_limits, model, stored)
  local found = {}
  for _, list in ipairs({ key_limits or '[]', pool_limits or '[]' }) do
    for _, limit in ipairs(cjson.decode(list)) do
      local counts = not stored or limit.what == 'requests' or limit.what == 'parallel_requests'
      if counts and applies(limit, model) then found[#found + 1] = limit end
    end
  end
  return found
end

-- Charges a request of which nothing is known, because a failover lost its admission: under the
-- limits its key has now, in the window of now, or of its admission where now is off the calendar.
local function charge_unheld(row, calendar, now)
  local key_limits = redis.call('HGET', api_key_key(row.key), 'limits')
  local pool_limits = redis.call('HGET', POOL, 'limits')
  for _, limit in ipairs(limits_for(key_limits, pool_limits, row.model)) do
    local g = gauge(limit, now, calendar) or gauge(limit, row.at_ms, calendar, true)
    if g and limit.what ~= 'parallel_requests' then
      take(limit, used(row, limit.what, limit.mode == 'balanced'), g, true)
    end
  end
end

-- What the earlier attempts of an open request were charged: a list of figures with their account.
local function charges_of(r)
  return r.charges and cjson.decode(r.charges) or {}
end

-- The row of a request whose worker never came back: charged at what it held, after what earlier attempts used.
local function expired_row(id, r)
  local bound, charges = r.bounds ~= '' and cjson.decode(r.bounds) or {}, charges_of(r)
  local row = { id = id, at_ms = tonumber(r.started_ms), day_ms = tonumber(r.day_ms), key = r.key, account = r.account,
    model = r.model, endpoint = r.endpoint, status = 599, source = 'estimated', error = 'lease_expired',
    input_tokens = bound.input_tokens, output_tokens = bound.output_tokens, cost = bound.cost }
  for _, charge in ipairs(charges) do
    for _, figure in ipairs(CHARGED) do
      if charge[figure] then row[figure] = (row[figure] or 0) + charge[figure] end
    end
  end
  if #charges > 0 then row.charges = charges end
  return row
end

local function read_request(id)
  local flat, r = redis.call('HGETALL', request_key(id)), {}
  for i = 1, #flat, 2 do r[flat[i]] = flat[i + 1] end
  return r.key and r or nil
end

local function expire_lease(id, now, policy)
  redis.call('ZREM', LEASES, id)
  local r = read_request(id)
  if not r or r.expired then return end
  if r.account ~= '' then free_slot(r.account, policy, now) end
  for _, hold in ipairs(cjson.decode(r.holds)) do settle_hold(hold, hold[2], now) end
  local row = expired_row(id, r)
  row.ended_ms = now -- the entry's own time may be later: other leases end in the same call
  book(row, '[' .. r.why .. ']')
  redis.call('HSET', request_key(id), 'expired', now)
  redis.call('PEXPIRE', request_key(id), CORRECTABLE_MS)
end

local function sweep(now, policy, most)
  local overdue = redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, most)
  for _, id in ipairs(overdue) do expire_lease(id, now, policy) end
  return #overdue
end

-- Who is out, as JSON: [[id, state, reason, until ms], …], those first that are due first.
local function out_told()
  local told = redis.call('GET', OUT_TOLD)
  if told then return told end
  local out = {}
  for i, id in ipairs(redis.call('ZRANGE', OUT, 0, MOST_OUT - 1)) do
    local v = redis.call('HMGET', account_key(id), 'state', 'reason', 'until_ms')
    out[i] = { id, v[1], v[2], tonumber(v[3]) or 0 }
  end
  told = #out > 0 and cjson.encode(out) or '[]'
  redis.call('SET', OUT_TOLD, told)
  return told
end

-- The JSON of a decision, which explains later why the request went where it went.
local function noted(decision)
  return string.sub(cjson.encode(decision), 1, -2) .. ',"out":' .. out_told() .. '}'
end

-- What the gateway needs of a pick, and beside it the decision as it is noted.
local function choice(id, by, attempt, seen, now, policy)
  local a = read_account(id, now)
  take_slot(a, policy)
  return { account = id, version = a.version, attempt = attempt, by = by, now = now, probe = a.probe,
      unenforced = not enforces(a) or nil },
    noted({ attempt = attempt, chosen = id, by = by, policy = policy, now = now, in_flight = a.in_flight,
      cap = a.cap, spare = a.spare, seen = seen })
end

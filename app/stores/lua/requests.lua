-- Open requests: their reservations, and how these are settled or expire.
--
-- r:<id> is a hash {key, account, attempt, model, endpoint, affinity, started_ms, day_ms, bounds, unenforced,
-- holds, charges, why, choice, expired, team, requested, queued_ms}; `leases` has its deadline. bounds and holds are those of the
-- running attempt (if none runs: '' and the holds of parallel requests); charges are those of earlier attempts.
-- When a lease expires, its slot is freed and the request is charged its bounds, until a late settlement corrects that.

local CLAIM_MS = 3600000 -- how long a key's claim on a conversation lasts before a response confirms it: an hour
local OWNED_MS = 2592000000 -- how long an account is remembered as the owner of a conversation: 30 days
local LATE_MS = 86400000 -- how late a settlement may arrive: a day
local CORRECTABLE_MS = 2592000000 -- how long an expired lease is stored for its late settlement: 30 days
local MAX_MODELS = 100 -- models of a key and day that roll-ups list by name
local OTHER = '(other)' -- the name of all further models, because clients can invent names
local NAMES_MS = 3 * 86400000
local SWEEP = 4 -- overdue leases that one call expires
local MAX_OUT = 16 -- unavailable accounts that a decision lists

local HOUR_MS = 3600000
local SHORTEST_DAY_MS = 23 * HOUR_MS -- the day on which clocks go forward

-- The figures of a ledger row that roll-ups sum; they also count `requests` and `errors`.
local FIGURES = { 'input_tokens', 'output_tokens', 'cached_tokens', 'reasoning_tokens', 'cost', 'waste_cost',
  'first_ms', 'total_ms', 'unreported_input_tokens', 'unreported_output_tokens', 'unreported_cost', 'fallbacks',
  'failed_before' }

-- The figures that limits count. The unreported ones are what an upstream that reported no usage can have billed
-- beyond the estimate in the others: strict limits are charged both, balanced ones the estimate.
local CHARGED = { 'input_tokens', 'output_tokens', 'cost', 'ceiling_cost', 'unreported_input_tokens',
  'unreported_output_tokens', 'unreported_cost' }

-- Checks the charge of one attempt.
local function check_charge(charge) -- rare
  check(charge, { account = 'text', input_tokens = 'figure', output_tokens = 'figure', cost = '?figure',
    ceiling_cost = '?figure', unreported_input_tokens = '?figure', unreported_output_tokens = '?figure',
    unreported_cost = '?figure' })
end

local MAX_FIGURE = 2 ^ 53 -- up to which doubles are exact

local function has_settlement_texts(args)
  local ownership, conversation = args.ownership, args.conversation
  return args.id >= '' and #args.id <= MAX_TEXT and (ownership == nil or ownership >= '')
    and (conversation == nil or conversation >= '')
end

local function has_entry_texts(entry)
  local at, status, team = entry.at_ms, entry.status, entry.team
  return entry.key >= '' and entry.account >= '' and entry.model >= '' and entry.source >= ''
    and #entry.key + #entry.account + #entry.model <= MAX_TEXT
    and (team == nil or team >= '' and #team <= MAX_TEXT)
    and at >= 0 and at <= MAX_NUMBER and at % 1 == 0 and status >= 0 and status <= MAX_NUMBER and status % 1 == 0
end

-- Whether the figures are whole and exact; a figure that is null is removed.
local function has_figures(entry)
  local ceiling = entry.ceiling_cost
  if ceiling ~= nil and not (ceiling >= -MAX_FIGURE and ceiling <= MAX_FIGURE) then return false end
  for i = 1, #FIGURES do
    local amount = entry[FIGURES[i]]
    if amount == cjson.null then
      entry[FIGURES[i]] = nil
    elseif amount ~= nil and not (amount >= -MAX_FIGURE and amount <= MAX_FIGURE and amount % 1 == 0) then
      return false
    end
  end
  return true
end

-- Checks the fields that totals and limits use; the others are stored as they are.
local function check_entry(entry)
  check_by(has_entry_texts, entry, 'row')
  if entry.attempts ~= nil and type(entry.attempts) ~= 'table' then refuse('attempts') end
  check_attempts(entry.attempts)
  for _, attempt in ipairs(entry.attempts or {}) do
    if attempt.input_tokens ~= nil then check_charge(attempt) end
  end
  check_by(has_figures, entry, 'a figure of the row')
end

-- Adds an entry to the totals in a hash; returns whether it is the first request there. A correction is not a
-- request; if that was answered after its lease had expired, which counts as an error, its `errors` is -1.
local function add_to_totals(key, prefix, entry)
  local first = false
  if entry.source ~= 'corrected' then
    first = redis.call('HINCRBY', key, prefix .. 'requests', 1) == 1
    if entry.status >= 400 then redis.call('HINCRBY', key, prefix .. 'errors', 1) end
  elseif entry.errors then
    redis.call('HINCRBY', key, prefix .. 'errors', entry.errors)
  end
  for _, figure in ipairs(FIGURES) do
    local amount = entry[figure]
    if type(amount) == 'number' and amount ~= 0 then
      redis.call('HINCRBY', key, prefix .. figure, string.format('%.0f', amount))
    end
  end
  return first
end

-- Adds an entry to the roll-up of its hour or day, and lists the start of that in an index. The summary of a past
-- hour or day is deleted, so that it is rebuilt.
local function add_to_rollup(span, start_ms, length_ms, prefix, entry, now, by_account)
  if add_to_totals(rollup_key(span, start_ms), prefix, entry) then
    local start = string.format('%.0f', start_ms / 1000)
    redis.call('ZADD', rollup_starts_key(span), start, start)
  end
  if by_account then add_attempts_to_rollup(rollup_key(span, start_ms), entry, by_account) end
  if now - start_ms >= length_ms then redis.call('DEL', summary_key(span, start_ms)) end
end

-- Adds a share of an entry to the totals of its team, of the hour and of the day.
local function add_to_team(entry, share, model)
  local prefix = entry.team .. '|' .. share.account .. '|' .. model .. '|'
  add_to_totals(team_rollup_key('h', entry.at_ms - entry.at_ms % HOUR_MS), prefix, share)
  add_to_totals(team_rollup_key('d', entry.day_ms), prefix, share)
end

-- Returns the name of an entry's model in the roll-ups.
local function counted_model(entry)
  local names, name = rollup_names_key(entry.day_ms), entry.key .. '|' .. entry.model
  if redis.call('HEXISTS', names, name) == 1 then return entry.model end
  if tonumber(redis.call('HGET', names, entry.key) or '0') >= MAX_MODELS then return OTHER end
  redis.call('HINCRBY', names, entry.key, 1)
  redis.call('HSET', names, name, 1)
  redis.call('PEXPIRE', names, NAMES_MS)
  return entry.model
end

-- Returns the figures of an entry by account: those of a failed attempt belong to the account that billed it,
-- without a request. A correction belongs to the last attempt.
local function shares(entry)
  local result, own = {}, entry
  if entry.source == 'corrected' then return { entry } end
  for _, attempt in ipairs(entry.charges or entry.attempts or {}) do
    if attempt.input_tokens then
      if own == entry then
        own = {}
        for name, value in pairs(entry) do own[name] = value end
      end
      local share = { account = attempt.account, source = 'corrected' }
      for _, figure in ipairs(CHARGED) do
        share[figure] = attempt[figure]
        if attempt[figure] then own[figure] = (own[figure] or 0) - attempt[figure] end
      end
      result[#result + 1] = share
    end
  end
  table.insert(result, 1, own)
  return result
end

-- Records when a request of its key ended: an entry may be written long after, or after those of newer requests. Its
-- total time counts from its arrival, `queued_ms` before its admission at `at_ms`.
local function note_last_use(entry, now)
  local ended_ms = math.min(entry.at_ms - (entry.queued_ms or 0) + (entry.total_ms or 0), now)
  local newest = redis.call('HGET', LAST_USED, entry.key)
  if ended_ms > (tonumber(newest) or 0) then redis.call('HSET', LAST_USED, entry.key, ended_ms) end
end

-- Writes one ledger entry and adds it to its hour, its day and the totals of its key. *present* is an account
-- known to exist.
local function write_entry(entry, reason, present)
  local by_account = attempts_by_account(entry)
  local rolled = not is_plain(entry) and by_account or nil
  entry.attempts_counted = rolled and true or nil
  if entry.attempts and #entry.attempts == 0 then entry.attempts = nil end -- cjson would encode it as an object
  local model = counted_model(entry)
  if model ~= entry.model then entry.counted_as = model end
  local id = redis.call('XADD', LEDGER, '*', 'row', cjson.encode(entry), 'why', reason or '')
  local now = tonumber(string.match(id, '^%d+'))
  for _, share in ipairs(shares(entry)) do
    if entry.team then add_to_team(entry, share, model) end
    local prefix, counted = entry.key .. '|' .. share.account .. '|' .. model .. '|', share.source == entry.source and rolled
    add_to_rollup('h', entry.at_ms - entry.at_ms % HOUR_MS, HOUR_MS, prefix, share, now, counted)
    add_to_rollup('d', entry.day_ms, SHORTEST_DAY_MS, prefix, share, now, counted)
  end
  add_to_totals(used_key(entry.key), '', entry)
  note_last_use(entry, now)
  count_attempts(by_account, present)
  if rolled and entry.attempts then count_streaks(entry) end
  return id
end

-- Returns the amount of an entry that a limit on *unit* counts; the fields have the names of the units. A strict
-- limit counts what may have been billed, a balanced one the estimate.
local function charged_amount(entry, unit, balanced)
  if unit == 'requests' then return 1 end
  if unit == 'total_tokens' then
    return charged_amount(entry, 'input_tokens', balanced) + charged_amount(entry, 'output_tokens', balanced)
  end
  local amount = entry[unit] or (unit == 'cost' and entry.ceiling_cost) or 0 -- without a price the ceiling counts
  return amount + (not balanced and entry['unreported_' .. unit] or 0)
end

-- Settles holds with the usage of *entry*, less what earlier attempts were charged.
local function settle_holds(holds, entry, charges, now, charged)
  for _, hold in ipairs(holds) do
    local unit, balanced = hold[3], hold[6]
    local actual = charged_amount(entry, unit, balanced)
    for _, charge in ipairs(charges) do actual = actual - charged_amount(charge, unit, balanced) end
    settle_hold(hold, actual, now, charged and hold[2])
  end
end

-- Returns the limits of the team that a request belongs to, as JSON; nothing where it has none.
local function limits_of_team(name) return name and redis.call('HGET', team_key(name), 'limits') end

-- Returns the limits of a key, of its team and of the pool that apply to *model*; for a stored response only those on
-- requests.
local function limits_for(key_limits, team_limits, pool_limits, model, stored)
  local result = {}
  local lists = team_limits and { key_limits or '[]', team_limits, pool_limits or '[]' }
    or { key_limits or '[]', pool_limits or '[]' }
  for _, list in ipairs(lists) do
    for _, limit in ipairs(cjson.decode(list)) do
      local counts = not stored or limit.what == 'requests' or limit.what == 'parallel_requests'
      if counts and applies(limit, model) then result[#result + 1] = limit end
    end
  end
  return result
end

-- Charges a request whose admission was lost in a failover of Redis: under the current limits of its key and in the
-- current window, or in the window of its admission if the calendar does not cover the present.
local function charge_unheld(entry, calendar, now) -- rare
  local key_limits = redis.call('HGET', api_key_key(entry.key), 'limits')
  local pool_limits = redis.call('HGET', POOL, 'limits')
  for _, limit in ipairs(limits_for(key_limits, limits_of_team(entry.team), pool_limits, entry.model)) do
    local gauge = read_gauge(limit, now, calendar) or read_gauge(limit, entry.at_ms, calendar, true)
    if gauge and limit.what ~= 'parallel_requests' then
      take(limit, charged_amount(entry, limit.what, limit.mode == 'balanced'), gauge, true)
    end
  end
end

-- Returns the charges of the earlier attempts of an open request: figures with their account.
local function charges_of(stored)
  return stored.charges and cjson.decode(stored.charges) or {}
end

-- Returns the ledger entry of a request whose worker died: its bounds, plus the charges of earlier attempts.
local function expired_entry(id, stored)
  local bound, charges = stored.bounds ~= '' and cjson.decode(stored.bounds) or {}, charges_of(stored)
  local entry = { id = id, at_ms = tonumber(stored.started_ms), day_ms = tonumber(stored.day_ms), key = stored.key,
    team = stored.team, account = stored.account, model = stored.model, asked = stored.requested,
    endpoint = stored.endpoint, status = 599, source = 'estimated', error = 'lease_expired',
    input_tokens = bound.input_tokens, output_tokens = bound.output_tokens, cost = bound.cost }
  entry.queued_ms = tonumber(stored.queued_ms)
  for _, charge in ipairs(charges) do
    for _, figure in ipairs(CHARGED) do
      if charge[figure] then entry[figure] = (entry[figure] or 0) + charge[figure] end
    end
  end
  if #charges > 0 then entry.charges = charges end
  return entry
end

local function read_request(id)
  local flat, stored = redis.call('HGETALL', request_key(id)), {}
  for i = 1, #flat, 2 do stored[flat[i]] = flat[i + 1] end
  return stored.key and stored or nil
end

-- Ends the claim on a conversation that an admission of *key* made, unless a response has confirmed it.
local function drop_claim(conversation, key)
  if not conversation or conversation == '' then return end
  local held_key = holder_key(conversation)
  if redis.call('GET', held_key) == key and redis.call('PTTL', held_key) <= CLAIM_MS then redis.call('DEL', held_key) end
end

-- Adds the owner and the labels of its key to an entry that no worker wrote; returns the entry.
local function attributed(entry)
  local owned = redis.call('HMGET', api_key_key(entry.key), 'owner', 'labels')
  if owned[1] and owned[1] ~= '' then entry.owner = owned[1] end
  if owned[2] and owned[2] ~= '' then entry.labels = cjson.decode(owned[2]) end
  return entry
end

local function expire_lease(id, now, policy) -- rare
  redis.call('ZREM', LEASES, id)
  local stored = read_request(id)
  if not stored or stored.expired then return end
  if stored.account ~= '' then free_slot(stored.account, policy, now) end
  for _, hold in ipairs(cjson.decode(stored.holds)) do settle_hold(hold, hold[2], now) end
  local entry = attributed(expired_entry(id, stored))
  entry.ended_ms = now -- not the entry's id, which may be later: other leases expire in the same call
  write_entry(entry, '[' .. stored.why .. ']')
  redis.call('HSET', request_key(id), 'expired', now)
  redis.call('PEXPIRE', request_key(id), CORRECTABLE_MS)
end

local function sweep(now, policy, max_count)
  local overdue = redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, max_count)
  for _, id in ipairs(overdue) do expire_lease(id, now, policy) end
  return #overdue
end

-- Returns the accounts that are out as JSON [[id, state, reason, until ms], …], the first due first.
local function accounts_out()
  local reply = redis.call('GET', OUT_JSON)
  if reply then return reply end
  local out = {}
  for i, id in ipairs(redis.call('ZRANGE', OUT, 0, MAX_OUT - 1)) do
    local values = redis.call('HMGET', account_key(id), 'state', 'reason', 'until_ms')
    out[i] = { id, values[1], values[2], tonumber(values[3]) or 0 }
  end
  reply = #out > 0 and cjson.encode(out) or '[]'
  redis.call('SET', OUT_JSON, reply)
  return reply
end

-- Returns the JSON of a routing decision, which explains the choice of an account.
local function encode_decision(decision)
  return string.sub(cjson.encode(decision), 1, -2) .. ',"out":' .. accounts_out() .. '}'
end

-- Takes a slot of a picked account; returns the selection for the gateway and the decision log as JSON.
local function select_account(id, by, attempt, seen, now, policy)
  local a = read_account(id, now)
  take_slot(a, policy)
  return { account = id, version = a.version, attempt = attempt, by = by, now = now, probe = a.probe,
      unenforced = not enforces(a) or nil, unproven = a.unproven or nil },
    encode_decision({ attempt = attempt, chosen = id, by = by, policy = policy, now = now, in_flight = a.in_flight,
      cap = a.cap, spare = a.spare, seen = seen })
end

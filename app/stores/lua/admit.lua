-- Admit one request: check its key and every limit, hold what it may use, pick its account.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, key, model, endpoint, wire, unfit_kinds, demo, affinity, pin, ttl_ms, sticky_ms,
--          conversation, calendar: {per: [start, end, next end]}, bounds: {input_tokens, output_tokens, cost},
--          estimates: {the same}, by_ms}; an amount that cannot be bounded is absent; by_ms, if
--          there, is when whoever asks has given up
-- Returns  JSON: {account, version, attempt, by, now, probe, limits} or
--          {refused: key | limit | no_accounts | conversation | calendar | settled | late, …}; where no account is free:
--          rest_ms until the first that could serve is back (absent: unknown), and how many are busy.
-- All checks come before any charge: a refusal costs nothing. A second call with the same id
-- returns what the first one got.  Invariant: settled + held <= max for every strict limit.
local ask, now = cjson.decode(ARGV[1]), clock()
check_request(ask)
if ask.tried ~= nil then check_texts(ask.tried, 'tried') end
local p = redis.call('HMGET', POOL, 'policy', 'limits')
local policy = p[1] or 'balanced'

local again = redis.call('HGET', request_key(ask.id), 'choice')
if again then return again end
if redis.call('EXISTS', settled_key(ask.id)) == 1 then return cjson.encode({ refused = 'settled', now = now }) end
if ask.by_ms and now > ask.by_ms then return cjson.encode({ refused = 'late', now = now }) end

local k = redis.call('HMGET', api_key_key(ask.key), 'state', 'expires_ms', 'limits', 'accounts')
if not k[1] or k[1] ~= 'active' then return cjson.encode({ refused = 'key', why = k[1] or 'unknown', now = now }) end
local expires = tonumber(k[2]) or 0
if expires > 0 and expires <= now then return cjson.encode({ refused = 'key', why = 'expired', now = now }) end

if ask.conversation and ask.conversation ~= '' then
  local holder = redis.call('GET', holder_key(ask.conversation))
  if holder and holder ~= ask.key then return cjson.encode({ refused = 'conversation', now = now }) end
end

sweep(now, policy, SWEEP)
wake_due(now, policy)

local function amount_of(limit)
  if limit.what == 'requests' or limit.what == 'parallel_requests' then return 1 end
  local amounts = limit.mode == 'balanced' and ask.estimates or ask.bounds
  if limit.what == 'total_tokens' then
    return amounts.input_tokens and amounts.output_tokens and amounts.input_tokens + amounts.output_tokens
  end
  return amounts[limit.what]
end
for _, amounts in ipairs({ ask.bounds, ask.estimates }) do
  for what, amount in pairs(amounts) do amounts[what] = amount < MOST and math.max(0, math.ceil(amount)) or nil end
end

local takes, refusal = {}, nil
local function refuse(limit, why, wait_ms, g, amount)
  local worse = { never = 3, unbounded = 2, spent = 1, held = 0 }
  if refusal and (worse[refusal.why] > worse[why] or (refusal.why == why and refusal.wait_ms >= wait_ms)) then return end
  refusal = { refused = 'limit', why = why, wait_ms = wait_ms, limit = limit, amount = amount, now = now,
    settled = g and g.settled or 0, held = g and g.held or 0, reset_ms = g and g.reset or 0 }
end
for _, limit in ipairs(limits_for(k[3], p[2], ask.model)) do
  local amount, g = amount_of(limit), gauge(limit, now, ask.calendar)
  if not g then return cjson.encode({ refused = 'calendar', now = now }) end
  if not amount then
    refuse(limit, 'unbounded', 0, g, 0)
  else
    local o = obstacle(limit, amount, g, now)
    if o then refuse(limit, o.why, o.wait_ms, g, amount) end
    takes[#takes + 1] = { limit, amount, g }
  end
end
if refusal then return cjson.encode(refusal) end

ask.allowed = account_set(k[4])
local seen = {}
local id, by = pick(ask, now, policy, seen)
if not id then
  local none = absence(ask, now)
  none.seen = seen
  none.rest_ms, none.busy = prospects(ask, now)
  return cjson.encode(none)
end

local holds, standing = {}, {}
for _, t in ipairs(takes) do
  local limit, amount, g = t[1], t[2], t[3]
  holds[#holds + 1] = take(limit, amount, g, now, limit.what == 'requests')
  standing[#standing + 1] = { limit.id, limit.what, limit.per, limit.max,
    limit.max - g.settled - g.held, g.reset, limit.scope }
end
local chosen, why = choice(id, by, 1, seen, now, policy)
chosen.limits = standing
local reply = cjson.encode(chosen)
redis.call('HSET', request_key(ask.id), 'key', ask.key, 'account', id, 'attempt', 1, 'model', ask.model,
  'endpoint', ask.endpoint, 'affinity', ask.affinity, 'started_ms', now,
  'day_ms', calendar_window('day', now, ask.calendar) or now - now % 86400000, 'bounds', cjson.encode(ask.bounds), 'holds', cjson.encode(holds), 'why', why, 'choice', reply)
redis.call('ZADD', LEASES, now + ask.ttl_ms, ask.id)
if ask.affinity ~= '' then redis.call('SET', affinity_key(ask.affinity), id, 'PX', ask.sticky_ms) end
return reply

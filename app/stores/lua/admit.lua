-- Admit one request: check its key and every limit, hold what it may use, pick its account.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, key, model, endpoint, wire, unfit_kinds, demo, affinity, pin, ttl_ms, sticky_ms,
--          conversation, calendar: {per: [start, end, next end]}, bounds: {input_tokens, output_tokens, cost},
--          estimates: {the same}, unenforced_bounds: {the same} where they differ by account, by_ms};
--          see reservations.lua; by_ms, if there, is when the client has given up; stored, if true, says that a stored
--          answer is given again: it needs no account (account is ''), and only limits on requests apply
-- Returns  JSON: {account, version, attempt, by, now, probe, unenforced, limits} or
--          {refused: key | limit | no_accounts | conversation | calendar | settled | late, …}; where no account is free:
--          rest_ms until the first that could serve is back (absent: unknown), and how many are busy. unenforced says
--          which of the two bounds is held, or, of a limit, which does not fit: accounts that take the smaller are away.
-- A conversation that no key holds is claimed by this one until its request is settled, an hour at most.
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

round_amounts(ask)
local limits = limits_for(k[3], p[2], ask.model, ask.stored)
local gauges = read_gauges(limits, now, ask.calendar)
if not gauges then return cjson.encode({ refused = 'calendar', now = now }) end
local refusal = refusal_of(limits, gauges, ask, nil, now)
if refusal then return cjson.encode(refusal) end
local larger = ask.unenforced_bounds and refusal_of(limits, gauges, ask, true, now)

ask.allowed = account_set(k[4])
ask.enforcing_only = larger and true
local seen = {}
local id, by
if ask.stored then
  id, by, ask.affinity = '', 'stored', ''
else
  id, by = pick(ask, now, policy, seen)
end
if not id then
  if larger then
    ask.enforcing_only = nil
    if pick(ask, now, policy, {}) then return cjson.encode(larger) end
  end
  local none = absence_and_prospects(ask, now)
  none.seen = seen
  return cjson.encode(none)
end

local chosen, why = { account = '', version = 0, attempt = 1, by = by, now = now }, ''
if not ask.stored then chosen, why = choice(id, by, 1, seen, now, policy) end
local holds, standing = reserve(limits, gauges, ask, chosen.unenforced), {}
for i, limit in ipairs(limits) do
  local g = gauges[i]
  standing[i] = { limit.id, limit.what, limit.per, limit.max, limit.max - g.settled - g.held, g.reset, limit.scope }
end
chosen.limits = standing
local reply = cjson.encode(chosen)
redis.call('HSET', request_key(ask.id), 'key', ask.key, 'account', id, 'attempt', 1, 'model', ask.model,
  'endpoint', ask.endpoint, 'affinity', ask.affinity, 'started_ms', now,
  'day_ms', calendar_window('day', now, ask.calendar) or now - now % 86400000,
  'bounds', cjson.encode(chosen.unenforced and ask.unenforced_bounds or ask.bounds),
  'unenforced', chosen.unenforced and '1' or '', 'holds', cjson.encode(holds), 'why', why, 'choice', reply)
redis.call('ZADD', LEASES, now + ask.ttl_ms, ask.id)
if ask.conversation and ask.conversation ~= '' then
  redis.call('SET', holder_key(ask.conversation), ask.key, 'PX', CLAIM_MS, 'NX')
end
if ask.affinity ~= '' then redis.call('SET', affinity_key(ask.affinity), id, 'PX', ask.sticky_ms) end
return reply

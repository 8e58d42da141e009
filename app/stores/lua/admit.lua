-- Admit one request: check its key and every limit, reserve its upper bounds, pick its account.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, key, model, requested: the model as the client named it, where that is another, endpoint, wire,
--          ineligible_kinds, unlisted_kinds, accounts, demo, affinity, pin, ttl_ms, sticky_ms,
--          conversation, calendar: {per: [start, end, next end]}, bounds: {input_tokens, output_tokens, cost},
--          estimates: {the same}, unenforced_bounds: {the same} where they differ by account, by_ms};
--          see reservations.lua; by_ms, if present, is the time when the client gives up; stored: the response comes from
--          the cache, so it needs no account (account is ''), and only limits on requests apply; wait: if no account is
--          free, the request waits for one, unless that many wait already: see queue.lua; fingerprint, if present: that
--          of the key's record as the worker read it, see authenticate.lua. A key with a team is checked against the
--          limits of its team as well, and refused while its team is disabled
-- Returns  JSON: {account, version, attempt, by, now, probe, unenforced, limits} or
--          {refused: changed | key | team | limit | no_accounts | conversation | calendar | settled | late, …}; where no
--          account is free: rest_ms until the first that could serve returns (absent: unknown), and busy, the number of
--          busy ones; if the request waits now, queued: how many are before it, or queue_full. unenforced: which of the
--          two bounds is reserved or, if a limit refuses, does not fit (then no account with the smaller is available).
-- A conversation without an owner is claimed by this key until its request is settled, for at most an hour.
-- All checks come before any charge: a refusal costs nothing. A second call with the same id
-- returns what the first one got.  Invariant: settled + held <= max for every strict limit.
local request, now = cjson.decode(ARGV[1]), clock()
check_request(request)
if request.tried ~= nil then check_texts(request.tried, 'tried') end
if request.wait ~= nil and not is_count(request.wait) then refuse('wait') end
local pool = redis.call('HMGET', POOL, 'policy', 'queue')
local policy = pool[1] or 'balanced'

local earlier = redis.call('HGET', request_key(request.id), 'choice')
if earlier then return earlier end
if redis.call('EXISTS', settled_key(request.id)) == 1 then return cjson.encode({ refused = 'settled', now = now }) end
if request.by_ms and now > request.by_ms then return cjson.encode({ refused = 'late', now = now }) end

local record, settings = read_caller(request.key)
if request.fingerprint and caller_fingerprint(record, settings) ~= request.fingerprint then
  return cjson.encode({ refused = 'changed', now = now })
end
local key = {}
for i = 1, #record, 2 do key[record[i]] = record[i + 1] end
if key.state ~= 'active' then return cjson.encode({ refused = 'key', why = key.state or 'unknown', now = now }) end
local expires = tonumber(key.expires_ms) or 0
if expires > 0 and expires <= now then return cjson.encode({ refused = 'key', why = 'expired', now = now }) end
if key.team_state then
  if key.team_state ~= 'active' then return cjson.encode({ refused = 'team', why = key.team, now = now }) end
  request.team = key.team
end

if request.conversation and request.conversation ~= '' then
  local holder = redis.call('GET', holder_key(request.conversation))
  if holder and holder ~= request.key then return cjson.encode({ refused = 'conversation', now = now }) end
end

sweep(now, policy, SWEEP)
wake_due(now, policy)

round_amounts(request)
local limits = limits_for(key.limits, key.team_limits, settings[3], request.model, request.stored)
local gauges = read_gauges(limits, now, request.calendar)
if not gauges then return cjson.encode({ refused = 'calendar', now = now }) end
local refusal = refusal_of(limits, gauges, request, nil, now)
if refusal then return cjson.encode(refusal) end
local larger = request.unenforced_bounds and refusal_of(limits, gauges, request, true, now)

request.allowed = allowed_accounts(key.accounts, request.accounts)
request.enforcing_only = larger and true
local turn = (pool[2] or request.wait) and not request.stored and turn_of(request, now)
local seen = {}
local id, by
if request.stored then
  id, by, request.affinity = '', 'stored', ''
else
  id, by = pick(request, now, policy, seen)
end
if not id then
  if larger then
    request.enforcing_only = nil
    if pick(request, now, policy, {}) then return cjson.encode(larger) end
  end
  local none = no_accounts_refusal_with_waits(request, now)
  none.seen = seen
  if request.wait and turn then turn:wait(request, none, now) end
  return cjson.encode(none)
end

local selection, reason = { account = '', version = 0, attempt = 1, by = by, now = now }, ''
if not request.stored then selection, reason = select_account(id, by, 1, seen, now, policy) end
local holds, limit_statuses = reserve(limits, gauges, request, selection.unenforced), {}
for i, limit in ipairs(limits) do
  local gauge = gauges[i]
  limit_statuses[i] = { limit.id, limit.what, limit.per, limit.max, limit.max - gauge.settled - gauge.held, gauge.reset,
    limit.scope }
end
selection.limits = limit_statuses
local reply = cjson.encode(selection)
redis.call('HSET', request_key(request.id), 'key', request.key, 'account', id, 'attempt', 1, 'model', request.model,
  'endpoint', request.endpoint, 'affinity', request.affinity, 'started_ms', now,
  'day_ms', calendar_window('day', now, request.calendar) or now - now % 86400000,
  'bounds', cjson.encode(selection.unenforced and request.unenforced_bounds or request.bounds),
  'unenforced', selection.unenforced and '1' or '', 'holds', cjson.encode(holds), 'why', reason, 'choice', reply)
if request.team then redis.call('HSET', request_key(request.id), 'team', request.team) end
if request.requested then redis.call('HSET', request_key(request.id), 'requested', request.requested) end
if turn and turn.facts then redis.call('HSET', request_key(request.id), 'queued_ms', now - turn.facts.since_ms) end
redis.call('ZADD', LEASES, now + request.ttl_ms, request.id)
if turn then turn:finish(request) end
if request.conversation and request.conversation ~= '' then
  redis.call('SET', holder_key(request.conversation), request.key, 'PX', CLAIM_MS, 'NX')
end
if request.affinity ~= '' then redis.call('SET', affinity_key(request.affinity), id, 'PX', request.sticky_ms) end
return reply

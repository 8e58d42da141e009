-- Report how an attempt went and, where another may follow, pick its account.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, attempt, mark, tried, never, and of the request: model, wire, unfit_kinds, demo,
--          affinity, pin, ttl_ms, sticky_ms, key}; attempt is the one that ended; tried are the accounts that
--          failed, asked again only if there is no other; never are those of them never to be asked
-- Returns  JSON: {account, …} as admit does, or {refused: no_accounts | lease | key, …}.
-- Safe to repeat: a report of an attempt that is no longer the newest returns the newest.
local ask, now = cjson.decode(ARGV[1]), clock()
check_request(ask)
check(ask, { attempt = 'count', tried = 'list', never = 'list' })
check_each(ask.tried, 'text', 'tried')
check_each(ask.never, 'text', 'never')
ask.mark = check_mark(ask.mark) or {}
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
local r = redis.call('HMGET', request_key(ask.id), 'attempt', 'account', 'choice', 'why', 'expired')
if r[1] and tonumber(r[1]) > ask.attempt then return r[3] end

if not r[1] or r[5] then return cjson.encode({ refused = 'lease', now = now }) end

if r[2] ~= '' then
  apply_mark(r[2], ask.mark, now, policy)
  free_slot(r[2], policy, now)
end
wake_due(now, policy)
local k = redis.call('HMGET', api_key_key(ask.key), 'state', 'accounts')
if not k[1] then -- nor is what it was bound to known any more
  redis.call('HSET', request_key(ask.id), 'account', '')
  return cjson.encode({ refused = 'key', why = 'removed', now = now })
end
ask.allowed = account_set(k[2])
local seen = {}
local id, by = pick(ask, now, policy, seen)
if not id and #ask.never < #ask.tried then
  ask.tried = ask.never
  id, by = pick(ask, now, policy, seen), 'asked again'
end
if not id then
  local none = absence(ask, now)
  redis.call('HSET', request_key(ask.id), 'account', '', 'why', r[4] .. ',' .. noted({ attempt = ask.attempt + 1,
    chosen = '', policy = policy, seen = seen, now = now }))
  return cjson.encode(none)
end
local chosen, why = choice(id, by, ask.attempt + 1, seen, now, policy)
local reply = cjson.encode(chosen)
redis.call('HSET', request_key(ask.id), 'account', id, 'attempt', ask.attempt + 1, 'choice', reply, 'why', r[4] .. ',' .. why)
redis.call('ZADD', LEASES, now + ask.ttl_ms, ask.id)
if ask.affinity ~= '' then redis.call('SET', affinity_key(ask.affinity), id, 'PX', ask.sticky_ms) end
return reply

-- Open a session of an operator.
-- KEYS[1]  root of the office
-- ARGV[1]  JSON {digest (of the secret id), id (public), operator, address, agent, idle_ms, life_ms, most}
-- Returns  1 opened, 0 when there is no such operator. Of more than `most` sessions the oldest end.
local ask, now = cjson.decode(ARGV[1]), clock()
check(ask, { digest = 'text', id = 'text', operator = 'text', address = 'text', agent = 'text', idle_ms = 'count',
  life_ms = 'count', most = 'count' })
if redis.call('EXISTS', operator_key(ask.operator)) == 0 then return 0 end
local ends = now + ask.life_ms
redis.call('HSET', session_key(ask.digest), 'id', ask.id, 'operator', ask.operator, 'address', ask.address,
  'agent', ask.agent, 'opened_ms', now, 'seen_ms', now, 'ends_ms', ends)
redis.call('PEXPIRE', session_key(ask.digest), ask.idle_ms)
local index = sessions_key(ask.operator)
redis.call('ZADD', index, ends, ask.digest)
for _, digest in ipairs(redis.call('ZRANGE', index, 0, -(ask.most + 1))) do
  redis.call('DEL', session_key(digest))
  redis.call('ZREM', index, digest)
end
redis.call('PEXPIREAT', index, ends)
return 1

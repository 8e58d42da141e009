-- Change what a pool is; a new policy scores every account anew, so it holds from the next request on.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {fields: {policy, zone, settings}, each only if it changes; was: the settings that were read}
-- Returns  1 done, 0 where another hand has changed the settings meanwhile.
local ask, now = cjson.decode(ARGV[1]), clock()
check(ask, { fields = 'object', was = '?blob' })
check(ask.fields, { policy = '?text', zone = '?text', settings = '?blob' })
check_each(ask.fields, 'scalar', 'fields')
if ask.fields.settings and (redis.call('HGET', POOL, 'settings') or '') ~= ask.was then return 0 end
for field, value in pairs(ask.fields) do redis.call('HSET', POOL, field, value) end
if ask.fields.policy then
  for _, id in ipairs(redis.call('HVALS', NAMES)) do index_account(read_account(id, now), ask.fields.policy) end
end
return 1

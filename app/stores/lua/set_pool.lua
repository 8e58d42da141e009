-- Change the settings of a pool. A new policy rescores every account, so it takes effect with the next request.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {fields: {policy, zone, settings}, each only if it changes; was: the settings that were read}
-- Returns  1 done, 0 if the settings have changed since they were read.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { fields = 'object', was = '?blob' })
check(args.fields, { policy = '?text', zone = '?text', settings = '?blob' })
check_each(args.fields, 'scalar', 'fields')
if args.fields.settings and (redis.call('HGET', POOL, 'settings') or '') ~= args.was then return 0 end
for field, value in pairs(args.fields) do redis.call('HSET', POOL, field, value) end
if args.fields.policy then
  for _, id in ipairs(redis.call('HVALS', NAMES)) do index_account(read_account(id, now), args.fields.policy) end
end
return 1

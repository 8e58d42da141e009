-- Replace a sealed value by the same value sealed with another key, if it has not changed meanwhile.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {name (of the key, without its root), field ('': the key is a string), old, new}
-- Returns  1 replaced, 0 when the value has changed or was removed. A string retains its expiry.
local args = cjson.decode(ARGV[1])
check(args, { name = 'text', field = 'text', old = 'blob', new = 'blob' })
local key = root .. args.name
if args.field == '' then
  if redis.call('GET', key) ~= args.old then return 0 end
  redis.call('SET', key, args.new, 'KEEPTTL')
else
  if redis.call('HGET', key, args.field) ~= args.old then return 0 end
  redis.call('HSET', key, args.field, args.new)
end
return 1

-- Replace one sealed value by the same one sealed with another key, if it has not changed meanwhile.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {name (of the key, without its root), field ('': the key is a string), old, new}
-- Returns  1 replaced, 0: it is another value by now, or gone. When a string expires stays as it was.
local ask = cjson.decode(ARGV[1])
check(ask, { name = 'text', field = 'text', old = 'blob', new = 'blob' })
local key = root .. ask.name
if ask.field == '' then
  if redis.call('GET', key) ~= ask.old then return 0 end
  redis.call('SET', key, ask.new, 'KEEPTTL')
else
  if redis.call('HGET', key, ask.field) ~= ask.old then return 0 end
  redis.call('HSET', key, ask.field, ask.new)
end
return 1

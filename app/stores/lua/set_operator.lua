-- Change fields of an existing operator; an empty value removes a field.
-- KEYS[1]  root of the system keys
-- ARGV[1]  JSON {name, fields: {field: text}}
-- Returns  1 changed, 0 when there is no such operator.
local args = check(cjson.decode(ARGV[1]), { name = 'text', fields = 'object' })
check_each(args.fields, 'blob', 'fields')
local key = operator_key(args.name)
if redis.call('EXISTS', key) == 0 then return 0 end
for field, text in pairs(args.fields) do
  if text == '' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, text) end
end
if args.fields.password then redis.call('HSET', key, 'password_ms', clock()) end
return 1

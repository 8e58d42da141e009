-- Store an invitation; Redis deletes it when it expires.
-- KEYS[1]  root of the system keys
-- ARGV[1]  JSON {digest (SHA-256 of its secret), id (public), role, label, by, operator ('' for one from the command
--          line), life_ms, most (open invitations)}
-- Returns  'stored', 'full', or 'refused' when its author is no longer an owner.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { digest = 'text', id = 'text', role = 'text', label = 'text', by = 'text', operator = 'text',
  life_ms = 'count', most = 'count' })
if args.operator ~= '' then
  local is_owner = redis.call('EXISTS', operator_key(args.operator)) == 1 and role_of(args.operator) == 'owner'
  if not is_owner then return 'refused' end
end
local open = redis.call('HGETALL', INVITATIONS)
for i = 1, #open, 2 do
  if redis.call('EXISTS', invitation_key(open[i + 1])) == 0 then redis.call('HDEL', INVITATIONS, open[i]) end
end
if redis.call('HLEN', INVITATIONS) >= args.most then return 'full' end
local expires = string.format('%.0f', now + args.life_ms)
local key = invitation_key(args.digest)
redis.call('HSET', key, 'id', args.id, 'role', args.role, 'label', args.label, 'by', args.by,
  'operator', args.operator, 'created_ms', now, 'expires_ms', expires)
redis.call('PEXPIREAT', key, expires)
redis.call('HSET', INVITATIONS, args.id, args.digest)
return 'stored'

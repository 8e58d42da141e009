-- Store a new admin token; Redis deletes it when it expires.
-- KEYS[1]  root of the system keys
-- ARGV[1]  JSON {name, digest (SHA-256 of the secret), by, expires_ms (0: never),
--          scope (read | full), operator ('': it ends with none)}
-- Returns  'stored', 'taken' when a token that still works has that name, or 'past'.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { name = 'text', digest = 'text', by = 'text', expires_ms = 'count', scope = 'text', operator = 'text' })
if args.expires_ms > 0 and args.expires_ms <= now then return 'past' end
local other = redis.call('HGET', TOKENS, args.name)
if other and other ~= args.digest and redis.call('EXISTS', token_key(other)) == 1 then return 'taken' end
redis.call('HSET', token_key(args.digest), 'name', args.name, 'by', args.by, 'created_ms', now,
  'expires_ms', string.format('%.0f', args.expires_ms), 'scope', args.scope, 'operator', args.operator)
if args.expires_ms > 0 then redis.call('PEXPIREAT', token_key(args.digest), string.format('%.0f', args.expires_ms)) end
redis.call('HSET', TOKENS, args.name, args.digest)
return 'stored'

-- Store a new admin token; it goes by itself when it expires.
-- KEYS[1]  root of the office
-- ARGV[1]  JSON {name, digest (SHA-256 of the secret), by, expires_ms (0: never),
--          scope (read | full), operator ('': it ends with none)}
-- Returns  'stored', 'taken' when a token that still works has that name, or 'past'.
local ask, now = cjson.decode(ARGV[1]), clock()
check(ask, { name = 'text', digest = 'text', by = 'text', expires_ms = 'count', scope = 'text', operator = 'text' })
if ask.expires_ms > 0 and ask.expires_ms <= now then return 'past' end
local other = redis.call('HGET', TOKENS, ask.name)
if other and other ~= ask.digest and redis.call('EXISTS', token_key(other)) == 1 then return 'taken' end
redis.call('HSET', token_key(ask.digest), 'name', ask.name, 'by', ask.by, 'created_ms', now,
  'expires_ms', string.format('%.0f', ask.expires_ms), 'scope', ask.scope, 'operator', ask.operator)
if ask.expires_ms > 0 then redis.call('PEXPIREAT', token_key(ask.digest), string.format('%.0f', ask.expires_ms)) end
redis.call('HSET', TOKENS, ask.name, ask.digest)
return 'stored'

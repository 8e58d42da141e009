-- Open a session of the holder of an API key.
-- KEYS[1]  root of the pool
-- ARGV     key id, SHA-256 (hex) of the key's secret, SHA-256 (hex) of the session's secret id, its life (ms), the
--          maximum number of sessions of a key
-- Returns  1 opened, 0 when the secret is not the key's current one. The oldest sessions above the maximum end.
local id, digest, session = ARGV[1], ARGV[2], ARGV[3]
local life, most, now = number_argument(ARGV[4], 'life'), number_argument(ARGV[5], 'maximum'), clock()
if redis.call('GET', secret_key(digest)) ~= id then return 0 end
local current = redis.call('HGET', api_key_key(id), 'digest')
if current and current ~= digest then return 0 end
local sessions = key_sessions_key(id)
redis.call('ZREMRANGEBYSCORE', sessions, '-inf', now)
redis.call('ZADD', sessions, now + life, session)
redis.call('ZREMRANGEBYRANK', sessions, 0, -most - 1)
redis.call('PEXPIREAT', sessions, now + life)
return 1

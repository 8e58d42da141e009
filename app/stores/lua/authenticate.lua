-- Find the API key of a secret, and return it with the settings of its pool.
-- KEYS[1]  root of the pool
-- ARGV[1]  SHA-256 of the secret, hex
-- Returns  {now, key id or '', key hash (flat), pool hash (flat)}.
local id = redis.call('GET', secret_key(ARGV[1])) or ''
local record = id ~= '' and redis.call('HGETALL', api_key_key(id)) or {}
return { clock(), id, record, redis.call('HMGET', POOL, 'settings', 'zone', 'limits', 'prices', 'routes') }

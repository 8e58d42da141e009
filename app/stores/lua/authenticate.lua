-- Find the API key of a secret or an id, and return it with the settings of its pool.
-- KEYS[1]  root of the pool
-- ARGV     SHA-256 of the secret, hex; or anything, and the id of the key
-- Returns  {now, key id or '', key hash (flat), pool hash (flat), fingerprint}. The hash of a key with a team ends with
--          the fields team_state ('' where there is no such team) and team_limits of that. admit compares fingerprint.
local id = ARGV[2] or redis.call('GET', secret_key(ARGV[1])) or ''
local record, pool = read_caller(id)
return { clock(), id, record, pool, caller_fingerprint(record, pool) }

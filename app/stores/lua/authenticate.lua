-- Find the API key of a secret or an id, and return it with the settings of its pool.
-- KEYS[1]  root of the pool
-- ARGV     SHA-256 of the secret (hex); or any text, and the id of the key
-- Returns  {now, key id or '', key hash (flat), pool hash (flat), fingerprint}. If the key has a team, its hash ends with
--          the fields team_state ('' where there is no such team) and team_limits. admit compares the fingerprint.
local id = ARGV[2] or redis.call('GET', secret_key(ARGV[1])) or ''
local record, pool = read_caller(id)
return { clock(), id, record, pool, caller_fingerprint(record, pool) }

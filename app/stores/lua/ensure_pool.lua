-- Create a pool if it does not exist. Also the readiness probe: it needs what the request path needs.
-- KEYS[1]  root of the pool
-- Returns  1 created, 0 it existed.
return redis.call('HSETNX', POOL, 'created_ms', clock())

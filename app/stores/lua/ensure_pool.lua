-- Make a pool, if it is not there. Also the probe of readiness: the request path needs no more.
-- KEYS[1]  root of the pool
-- Returns  1 made, 0 was there.
return redis.call('HSETNX', POOL, 'created_ms', clock())

-- Count a sign-in attempt under every limit that applies, unless one is spent.
-- KEYS[1]  root of the system keys
-- ARGV[1]  JSON {id, limits: [{what, most, window_ms, unless (the limit is ignored if this name is known)}]}
-- Returns  {0} counted; else, without counting, {wait in ms, 1 for the first refusal of that time or 0}.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { id = 'text', limits = 'list' })
for _, limit in ipairs(args.limits) do
  check(limit, { what = 'text', most = 'count', window_ms = 'count', ['unless'] = '?text' })
  if limit.most < 1 or limit.window_ms < 1 then refuse('limits') end
end
local wait, spent, applicable = 0, nil, {}
for _, limit in ipairs(args.limits) do
  if not limit.unless or redis.call('EXISTS', attempts_key(limit.unless)) == 0 then applicable[#applicable + 1] = limit end
end
for _, limit in ipairs(applicable) do
  local key = attempts_key(limit.what)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - limit.window_ms)
  if redis.call('ZCARD', key) >= limit.most and not redis.call('ZSCORE', key, args.id) then
    local first = redis.call('ZRANGE', key, -limit.most, -limit.most, 'WITHSCORES')
    local limit_wait = tonumber(first[2]) + limit.window_ms - now
    if limit_wait > wait then wait, spent = limit_wait, key end
  end
end
if wait > 0 then
  return {wait, redis.call('SET', spent .. ':told', '1', 'NX', 'PX', wait) and 1 or 0}
end
for _, limit in ipairs(applicable) do
  redis.call('ZADD', attempts_key(limit.what), now, args.id)
  redis.call('PEXPIRE', attempts_key(limit.what), limit.window_ms)
end
return {0}

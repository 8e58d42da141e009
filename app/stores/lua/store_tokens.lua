-- Store the tokens of an exchange, before their first use.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {account, fence, rotation, sign_in, expires_ms}; fence and rotation are the lease's
-- Returns  the account's new version, or 0: the lease was not the last one, or its refresh token is
--          no longer the current one.
-- Safe to repeat: the same tokens are stored once.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { account = 'text', fence = 'count', rotation = 'count', sign_in = 'blob', expires_ms = 'count' })
local values = redis.call('HMGET', account_key(args.account), 'refresh_fence', 'rotation', 'refresh_held', 'version')
if tonumber(values[1]) ~= args.fence then return 0 end
if tonumber(values[2]) == args.rotation + 1 and values[3] == '0' then return tonumber(values[4]) end
if tonumber(values[2]) ~= args.rotation then return 0 end
redis.call('HSET', account_key(args.account), 'refresh_held', '0')
return put_tokens(args, RENEWABLE, now)

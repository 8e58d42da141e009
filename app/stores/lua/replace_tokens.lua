-- Give an account the tokens of a new sign-in by an operator, which overrides an exchange under way.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {account, sign_in, expires_ms}
-- Returns  the account's new version, or 0 when there is no such account.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { account = 'text', sign_in = 'blob', expires_ms = 'count' })
local key = account_key(args.account)
local account = read_account(args.account, now)
if not account then return 0 end
forget_unproven(account, redis.call('HGET', POOL, 'policy') or 'balanced')
redis.call('HINCRBY', key, 'refresh_fence', 1)
redis.call('HSET', key, 'refresh_held', '0')
return put_tokens(args, REPLACEABLE, now)

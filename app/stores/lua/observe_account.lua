-- Keep what a look at the upstream, outside any request, told of an account.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {account, fields = {name: value}, mark, room}: mark as apply_mark reads it, or absent;
--          room says that the usage windows have room again, which ends window_spent
-- Returns  1, or 0 when there is no such account (any more).
local ask, now = cjson.decode(ARGV[1]), clock()
check(ask, { account = 'text', fields = '?object', room = '?flag' })
check_each(ask.fields, 'scalar', 'fields')
ask.mark = check_mark(ask.mark)
if not read_account(ask.account, now) then return 0 end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
for field, value in pairs(ask.fields or {}) do redis.call('HSET', account_key(ask.account), field, stored(value)) end
if ask.mark then apply_mark(ask.account, ask.mark, now, policy) end
local a = read_account(ask.account, now)
if ask.room and (a.tested or a.state) == 'window_spent' then
  bring_back(a, policy, now)
elseif a.state == 'active' then
  index_account(a, policy) -- its windows are part of its score
end
return 1

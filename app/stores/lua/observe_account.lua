-- Keep what a look at the upstream, outside any request, told of an account.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {account, fields = {name: value}, mark, room, accepted}: mark as apply_mark reads it, or
--          absent; room says that the usage windows have room again, which ends window_spent; accepted that
--          the upstream takes the credential again: one ordinary request then tests a credential_dead account
-- Returns  1, 2 when that test began, or 0 when there is no such account (any more).
local ask, now = cjson.decode(ARGV[1]), clock()
check(ask, { account = 'text', fields = '?object', room = '?flag', accepted = '?flag' })
check_each(ask.fields, 'scalar', 'fields')
ask.mark = check_mark(ask.mark)
if not read_account(ask.account, now) then return 0 end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
local listed = (ask.fields or {}).listed
if listed and listed ~= redis.call('HGET', account_key(ask.account), 'listed') then forget_missing(ask.account) end
for field, value in pairs(ask.fields or {}) do redis.call('HSET', account_key(ask.account), field, storable(value)) end
if ask.mark then apply_mark(ask.account, ask.mark, now, policy) end
local a = read_account(ask.account, now)
if ask.room and (a.tested or a.state) == 'window_spent' then
  bring_back(a, policy, now)
elseif ask.accepted and a.state == 'credential_dead' then
  redis.call('ZREM', OUT, a.id)
  begin_test(a)
  rejoin(a, policy)
  return 2
elseif a.state == 'active' then
  index_account(a, policy) -- its windows are part of its score
end
return 1

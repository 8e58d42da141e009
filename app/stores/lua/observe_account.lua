-- Store what a background job, or a test by an operator, learned about an account from its upstream.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {account, fields = {name: value}, mark, room, accepted, renewed, answered, unanswered, tested}: mark as
--          for apply_outcome, or absent; room: the usage windows have room again, which ends window_spent; accepted:
--          the upstream takes the credential again, so one ordinary request tests a credential_dead account;
--          renewed: the account has a new version, so every process reads it again; answered: it has answered;
--          unanswered: why it has not. An account that has never answered anything then comes last until it does
--          (`unproven`); tested: also one that has answered before, for an operator has just tested it
-- Returns  1 stored, 2 if that test also began, 0 when there is no such account (any more).
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { account = 'text', fields = '?object', room = '?flag', accepted = '?flag', renewed = '?flag',
  answered = '?flag', unanswered = '?text', tested = '?flag' })
check_each(args.fields, 'scalar', 'fields')
args.mark = check_outcome(args.mark)
local listed = (args.fields or {}).listed
if listed ~= nil then
  local is_json, names = pcall(cjson.decode, listed)
  if not is_json or not IS_KIND.list(names) then refuse('listed') end
  check_each(names, 'text', 'listed')
end
if not read_account(args.account, now) then return 0 end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
local key = account_key(args.account)
if listed and listed ~= redis.call('HGET', key, 'listed') then forget_missing(args.account) end
for field, value in pairs(args.fields or {}) do redis.call('HSET', key, field, storable(value)) end
local has_changed_offer = listed and relist(args.account)
if args.renewed then redis.call('HINCRBY', key, 'version', 1) end
if args.mark then apply_outcome(args.account, args.mark, now, policy) end

local account = read_account(args.account, now)
if args.unanswered and args.tested then
  redis.call('HSET', key, 'unproven', args.unanswered)
  account.unproven = args.unanswered
elseif args.unanswered then
  note_unanswered(account, args.unanswered)
end
if args.answered or args.accepted then forget_unproven(account, policy) end
if args.room and (account.tested or account.state) == 'window_spent' then
  reactivate(account, policy, now)
elseif args.accepted and account.state == 'credential_dead' then
  redis.call('ZREM', OUT, account.id)
  begin_test(account)
  rejoin(account, policy)
  return 2
elseif account.state == 'active' and has_changed_offer then
  rejoin(account, policy)
elseif account.state == 'active' then
  index_account(account, policy) -- its windows are part of its score
end
return 1

-- Withdraw an admission: the process that admitted the request can use none of the accounts, and has sent nothing.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, conversation: as for admit, calendar: that of the admission, counted: [[limit id, period], …]};
--          counted are the limits on requests that counted it
-- Returns  1, or 0 where there is no such open request, or one that is charged already: nothing changes then.
-- The lease, the slot, the reservation and the counts end, and nothing is recorded: a refusal costs nothing. The same id
-- may be admitted again. Safe to repeat.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { id = 'text', conversation = '?text', counted = 'list' })
check_calendar(args.calendar)
for _, limit in ipairs(args.counted) do
  if type(limit) ~= 'table' or not (is_text(limit[1]) and PERIODS[limit[2]]) then refuse('counted') end
end
local stored = read_request(args.id)
if not stored or stored.expired or #charges_of(stored) > 0 then return 0 end

if stored.account ~= '' then free_slot(stored.account, redis.call('HGET', POOL, 'policy') or 'balanced', now) end
for _, hold in ipairs(cjson.decode(stored.holds)) do settle_hold(hold, 0, now) end
for _, limit in ipairs(args.counted) do
  local id, per = limit[1], limit[2]
  local start = PERIOD_MS[per] and 0 or calendar_window(per, tonumber(stored.started_ms), args.calendar or {})
  if start then settle_hold({ id, 0, 'requests', per, start }, -1, now) end
end
drop_claim(args.conversation, stored.key)
redis.call('DEL', request_key(args.id))
redis.call('ZREM', LEASES, args.id)
return 1

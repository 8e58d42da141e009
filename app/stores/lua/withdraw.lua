-- Withdraw an admission: the process that admitted the request can use none of the accounts, and has sent nothing.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, conversation: as for admit, calendar: that of the admission, counted: [[limit id, period], …]};
--          counted are the limits on requests that counted it
-- Returns  1, or 0 where the request is charged already, as its lease expired: nothing changes then, and admit would
--          return the same selection again.
-- The lease, the slot, the reservation and the counts end, and nothing is recorded: a refusal costs nothing. The same id
-- may be admitted again. Safe to repeat.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { id = 'text', conversation = '?text', counted = 'list' })
check_calendar(args.calendar)
for _, limit in ipairs(args.counted) do
  if type(limit) ~= 'table' or not (is_text(limit[1]) and PERIODS[limit[2]]) then refuse('counted') end
end
local stored = read_request(args.id)
if not stored then return 1 end
if stored.expired or #charges_of(stored) > 0 then return 0 end

if stored.account ~= '' then free_slot(stored.account, redis.call('HGET', POOL, 'policy') or 'balanced', now) end
for _, hold in ipairs(cjson.decode(stored.holds)) do settle_hold(hold, 0, now) end
local started_ms = tonumber(stored.started_ms)
for _, limit in ipairs(args.counted) do
  local id, per = limit[1], limit[2]
  local period = PERIOD_MS[per]
  local start = period and 0 or calendar_window(per, started_ms, args.calendar or {})
  -- What has drained since cannot be given back: other requests may have taken its place.
  local share = 1
  if period then
    local rate = tonumber(redis.call('HGET', limit_key(id), 'm') or nil) or 0
    share = math.max(0, 1 - math.max(0, now - started_ms) * rate / period)
  end
  if start and share > 0 then settle_hold({ id, 0, 'requests', per, start }, -share, now) end
end
drop_claim(args.conversation, stored.key)
redis.call('DEL', request_key(args.id))
redis.call('ZREM', LEASES, args.id)
return 1

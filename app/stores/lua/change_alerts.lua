-- Compare the alerts that hold now with those that a webhook was sent, and queue one message about the changes.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {webhook (name), id (of the message, unique), kinds, remind_ms (0: never), alerts:
--          [{key (`kind:subject`), step, begins, alert (JSON text)}, …]}: all alerts of *kinds* that hold, the most
--          important first. One that does not begin only prolongs an open one.
-- Returns  how many alerts began, changed their step, are due for a reminder or ended; 0 for an unknown webhook.
-- Open alerts of other kinds are forgotten without a message.
-- Invariants: a webhook has at most MAX_OPEN open alerts and MAX_PENDING messages; the oldest message makes room.
local MAX_OPEN = 500
local MAX_PENDING = 10
local MAX_CHANGES = 40 -- changes in one message; further ones are only counted
local RETAINED_MS = 31 * 86400000

local args, now = cjson.decode(ARGV[1]), clock()
check(args, { webhook = 'text', id = 'text', kinds = 'list', remind_ms = 'count', alerts = 'list' })
check_each(args.kinds, 'text', 'kinds')
for _, each in ipairs(args.alerts) do check(each, { key = 'text', step = 'text', begins = 'flag', alert = 'blob' }) end
if redis.call('HEXISTS', WEBHOOKS, args.webhook) == 0 then return '0' end

local key, kinds, open, amount = alerts_key(args.webhook), {}, {}, 0
for _, kind in ipairs(args.kinds) do kinds[kind] = true end
local stored = redis.call('HGETALL', key)
for i = 1, #stored, 2 do
  open[stored[i]] = cjson.decode(stored[i + 1])
  amount = amount + 1
end

local changes, present = {}, {}
local function add_change(name, status, alert, reminder)
  changes[#changes + 1] = { key = name, status = status, since_ms = alert.since_ms, alert = alert.alert, reminder = reminder }
end

for _, each in ipairs(args.alerts) do
  local before = open[each.key]
  local is_new = not before and not present[each.key] and each.begins and amount < MAX_OPEN
  local is_due = before and args.remind_ms > 0 and now - before.sent_ms >= args.remind_ms
  present[each.key] = true
  if is_new or before and (before.step ~= each.step or is_due) then
    local alert = { step = each.step, since_ms = before and before.since_ms or now, sent_ms = now, alert = each.alert }
    redis.call('HSET', key, each.key, cjson.encode(alert))
    amount = amount + (is_new and 1 or 0)
    add_change(each.key, 'firing', alert, not is_new and before.step == each.step)
  end
end
local ended = {}
for name in pairs(open) do
  if not present[name] then ended[#ended + 1] = name end
end
table.sort(ended)
for _, name in ipairs(ended) do
  redis.call('HDEL', key, name)
  if kinds[string.match(name, '^[^:]*')] then add_change(name, 'resolved', open[name], false) end
end
redis.call('PEXPIRE', key, RETAINED_MS)
if #changes == 0 then return '0' end

local message = { id = args.id, at_ms = now, changes = {}, omitted = math.max(0, #changes - MAX_CHANGES) }
for i = 1, math.min(#changes, MAX_CHANGES) do message.changes[i] = changes[i] end
local queue, deliveries = alert_messages_key(args.webhook), alert_deliveries_key(args.webhook)
redis.call('RPUSH', queue, cjson.encode(message))
while redis.call('LLEN', queue) > MAX_PENDING do
  redis.call('LPOP', queue)
  redis.call('HINCRBY', deliveries, 'dropped', 1)
end
redis.call('PEXPIRE', queue, RETAINED_MS)
return tostring(#changes)

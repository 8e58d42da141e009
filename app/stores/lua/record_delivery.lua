-- Record how an attempt to deliver a message to a webhook ended.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {webhook (name), id (of the message), outcome (delivered | retry | failed), error, wait_ms (until the
--          next attempt)}
-- Returns  '1' recorded; '0' for an unknown webhook. A test is not in the queue: only its time is recorded.
-- Invariant: a message is counted once, when it leaves the queue.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, { webhook = 'text', id = 'text', outcome = 'text', error = 'text', wait_ms = 'count' })
if args.outcome ~= 'delivered' and args.outcome ~= 'retry' and args.outcome ~= 'failed' then refuse('outcome') end
if redis.call('HEXISTS', WEBHOOKS, args.webhook) == 0 then return '0' end

local queue, deliveries = alert_messages_key(args.webhook), alert_deliveries_key(args.webhook)
local first = redis.call('LINDEX', queue, 0)
local is_first = first and cjson.decode(first).id == args.id
if args.outcome == 'retry' then
  if is_first then
    if redis.call('HGET', deliveries, 'trying') ~= args.id then redis.call('HSET', deliveries, 'attempts', 0) end
    redis.call('HINCRBY', deliveries, 'attempts', 1)
    redis.call('HSET', deliveries, 'trying', args.id, 'due_ms', string.format('%.0f', now + args.wait_ms))
  end
else
  if is_first then
    redis.call('LPOP', queue)
    redis.call('HDEL', deliveries, 'trying', 'attempts', 'due_ms')
    redis.call('HINCRBY', deliveries, args.outcome, 1)
  end
end
if args.outcome == 'delivered' then
  redis.call('HSET', deliveries, 'delivered_ms', string.format('%.0f', now))
  redis.call('HDEL', deliveries, 'error')
else
  redis.call('HSET', deliveries, 'failed_ms', string.format('%.0f', now), 'error', args.error)
end
return '1'

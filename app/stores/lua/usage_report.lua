-- Return the usage of a key, the state of its limits, and the pool's upstream usage windows.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {key, limits: [limit, …], calendar, accounts: [id, …]}; accounts are those whose windows are
--          returned; none or absent: all
-- Returns  JSON: {now, used: {figure: n}, limits: [[settled, held, reset ms], …] in the order of limits,
--          windows: [[accounts, sum of used percents, first reset ms,
--          longest window in seconds], …] of these ChatGPT accounts},
--          or {refused: calendar, now}.
local args, now = cjson.decode(ARGV[1]), clock()
local reply = { now = now, used = {}, limits = {}, windows = {} }

local flat = redis.call('HGETALL', used_key(args.key))
for i = 1, #flat, 2 do reply.used[flat[i]] = tonumber(flat[i + 1]) end

for i, limit in ipairs(args.limits) do
  local gauge = read_gauge(limit, now, args.calendar)
  if not gauge then return cjson.encode({ refused = 'calendar', now = now }) end
  reply.limits[i] = { gauge.settled, gauge.held, gauge.reset }
end

local ids = redis.call('HVALS', NAMES)
if args.accounts and #args.accounts > 0 then ids = args.accounts end
for window = 1, 2 do
  local accounts, sum, first, longest = 0, 0, 0, 0
  for _, id in ipairs(ids) do
    local values = redis.call('HMGET', account_key(id), 'used_' .. window, 'reset_' .. window, 'length_' .. window)
    local used_percent, reset = tonumber(values[1]), tonumber(values[2])
    if used_percent then
      local over = not reset or reset <= now
      longest = math.max(longest, tonumber(values[3]) or 0)
      accounts, sum = accounts + 1, sum + (over and 0 or used_percent)
      if not over and (first == 0 or reset < first) then first = reset end
    end
  end
  reply.windows[window] = { accounts, sum, first, longest }
end
return cjson.encode(reply)

-- Tell where a key stands: what it used, each of its limits, and the pool's upstream windows.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {key, limits: [limit, …], calendar, accounts: [id, …]}; accounts are those whose windows are
--          returned; none or absent: all
-- Returns  JSON: {now, used: {figure: n}, limits: [[settled, held, reset ms], …] in the order asked,
--          windows: [[accounts, sum of used percents, first reset ms,
--          longest window in seconds], …] of these ChatGPT accounts},
--          or {refused: calendar, now}.
local ask, now = cjson.decode(ARGV[1]), clock()
local told = { now = now, used = {}, limits = {}, windows = {} }

local flat = redis.call('HGETALL', used_key(ask.key))
for i = 1, #flat, 2 do told.used[flat[i]] = tonumber(flat[i + 1]) end

for i, limit in ipairs(ask.limits) do
  local g = gauge(limit, now, ask.calendar)
  if not g then return cjson.encode({ refused = 'calendar', now = now }) end
  told.limits[i] = { g.settled, g.held, g.reset }
end

local ids = redis.call('HVALS', NAMES)
if ask.accounts and #ask.accounts > 0 then ids = ask.accounts end
for window = 1, 2 do
  local accounts, sum, first, longest = 0, 0, 0, 0
  for _, id in ipairs(ids) do
    local v = redis.call('HMGET', account_key(id), 'used_' .. window, 'reset_' .. window, 'length_' .. window)
    local used_percent, reset = tonumber(v[1]), tonumber(v[2])
    if used_percent then
      local over = not reset or reset <= now
      longest = math.max(longest, tonumber(v[3]) or 0)
      accounts, sum = accounts + 1, sum + (over and 0 or used_percent)
      if not over and (first == 0 or reset < first) then first = reset end
    end
  end
  told.windows[window] = { accounts, sum, first, longest }
end
return cjson.encode(told)

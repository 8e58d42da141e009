-- Limits: the settled amount, the held amount, and whether another amount fits.
--
-- A limit is {id, what, per, max, mode, model?, scope}. Its counters are a hash:
--   m  the maximum the counters were last used with     h  held by open requests
--   second, minute: GCRA as a leaky bucket in whole numbers
--     t  when q was last drained, ms      q  units * period not yet drained; drains m per ms
--   hour, day, week, month, ever: one window of the calendar and the one before it
--     b, s  start of the window, settled in it      pb, ps, ph  the same of the last one
-- Invariant: settled + held <= max, at every admission, in every window, even if the clock goes back.

local PERIOD_MS = { second = 1000, minute = 60000 }
local PERIODS = { none = true, second = true, minute = true, hour = true, day = true, week = true, month = true, ever = true }
local UNITS = { requests = true, input_tokens = true, output_tokens = true, total_tokens = true, cost = true,
  parallel_requests = true }

-- Amounts are integers below this: their sums stay exact in a double, and cjson writes
-- 14 digits. A request that may use more has no bound.
local MAX_AMOUNT = 1e13

-- Whether all of *name* is like *pattern*, in which `*` stands for any text and everything else for itself.
-- The twin of app/patterns.py: no part of a name is tried twice.
local function matches(pattern, name)
  local star = string.find(pattern, '*', 1, true)
  if not star then return pattern == name end
  if string.sub(name, 1, star - 1) ~= string.sub(pattern, 1, star - 1) then return false end
  local at, from = star, star + 1 -- where the rest of the name and of the pattern begins
  while true do
    star = string.find(pattern, '*', from, true)
    if not star then break end
    if star > from then
      local _, last = string.find(name, string.sub(pattern, from, star - 1), at, true)
      if not last then return false end
      at = last + 1
    end
    from = star + 1
  end
  local ending = string.sub(pattern, from)
  return #name - #ending + 1 >= at and (ending == '' or string.sub(name, -#ending) == ending)
end

-- Whether *limit* counts requests for *model*. Letter case makes no difference, for upstreams often make none,
-- and a dated snapshot (gpt-5-2025-08-07) counts under its family's name as well; see `family_of` in
-- app/limits/prices.py.
local function applies(limit, model)
  if not limit.model or limit.model == '*' then return true end
  local pattern, name = string.lower(limit.model), string.lower(model)
  if matches(pattern, name) then return true end
  local family = string.match(name, '^(.+)%-%d%d%d%d%-%d%d%-%d%d$')
  return family ~= nil and matches(pattern, family)
end

-- Returns start and end (ms) of the calendar window of *per* that holds *now*, or nothing where
-- the caller's calendar ({per = {start, end, end of the next}}) does not know it.
local function calendar_window(per, now, calendar)
  if per == 'ever' then return 0, 0 end
  local window = calendar[per]
  if not window or now < window[1] or now >= window[3] then return nil end
  if now >= window[2] then return window[2], window[3] end
  return window[1], window[2]
end

-- Returns the time since when q drains. If the clock went back by at most a period, q does not drain until the clock
-- is where it was. If it went back further, it had jumped ahead before, and q drains from now on.
local function drains_from(since_ms, now, period)
  since_ms = tonumber(since_ms)
  return since_ms and since_ms > now and since_ms - now <= period and since_ms or now
end

-- Returns what is left of q at *now*. A clock that went back, as after a failover of Redis, drains nothing.
local function drained(level, since_ms, rate, now)
  return math.max(0, (tonumber(level) or 0) - math.max(0, now - (tonumber(since_ms) or now)) * (tonumber(rate) or 0))
end

local function store_bucket(key, level, rate, from)
  redis.call('HSET', key, 't', from, 'q', string.format('%.0f', level), 'm', rate)
end

-- Handles a clock that had jumped ahead by more than a window and is back. Amounts of the future window count in this
-- one, in addition to its own; holds are released in the window that holds them.
local function reenter_window(limit, counters, start, reset)
  local key, held, settled = limit_key(limit.id), tonumber(counters[1]) or 0, tonumber(counters[3]) or 0
  local last = redis.call('HMGET', key, 'pb', 'ps', 'ph')
  local known_here = tonumber(last[1]) == start
  local settled_here = settled + held + (known_here and tonumber(last[2]) or 0)
  local held_here = known_here and tonumber(last[3]) or 0
  redis.call('HSET', key, 'pb', counters[2], 'ps', settled, 'ph', held, 'b', start, 's', settled_here, 'h', held_here)
  return { settled = settled_here, held = held_here, start = start, reset = reset }
end

-- Reads a limit's counters as they stand at *now*: {settled, held, start, reset, level}. Rolls the
-- window over when it has ended, and lets an edited limit drain at its new rate from now on. *is_past*: now
-- is in the past, so the clock is not checked.
local function read_gauge(limit, now, calendar, is_past)
  local key, period = limit_key(limit.id), PERIOD_MS[limit.per]
  if limit.what == 'parallel_requests' then
    return { settled = 0, held = tonumber(redis.call('HGET', key, 'h')) or 0, reset = 0 }
  end
  if period then
    local counters = redis.call('HMGET', key, 'h', 't', 'q', 'm')
    local level, from = drained(counters[3], counters[2], counters[4], now), drains_from(counters[2], now, period)
    local jumped = counters[2] and tonumber(counters[2]) > now and from == now
    if jumped or counters[4] and tonumber(counters[4]) ~= limit.max then
      store_bucket(key, level, limit.max, from)
    end
    return { settled = math.ceil(level / period), held = tonumber(counters[1]) or 0, level = level, from = from,
      reset = from + math.ceil(level / limit.max) }
  end
  local start, reset = calendar_window(limit.per, now, calendar)
  if not start then return nil end
  local counters = redis.call('HMGET', key, 'h', 'b', 's')
  local held, known, settled = tonumber(counters[1]) or 0, tonumber(counters[2]) or 0, tonumber(counters[3]) or 0
  if known > reset and reset > 0 and not is_past then return reenter_window(limit, counters, start, reset) end
  if known < start then
    redis.call('HSET', key, 'pb', known, 'ps', settled, 'ph', held,
      'b', start, 's', 0, 'h', 0)
    return { settled = 0, held = 0, start = start, reset = reset }
  end
  return { settled = settled, held = held, start = known, reset = reset }
end

-- Returns why *amount* does not fit: {why = never | spent | held, wait_ms}, or nothing if it fits.
local function find_obstacle(limit, amount, gauge, now)
  if amount > limit.max then return { why = 'never', wait_ms = 0 } end
  local period = PERIOD_MS[limit.per]
  if period and gauge.level then
    local excess = gauge.level + (gauge.held + amount - limit.max) * period
    if excess <= 0 then return nil end
    local without_holds = gauge.level + (amount - limit.max) * period
    if without_holds <= 0 then return { why = 'held', wait_ms = 0 } end
    return { why = 'spent', wait_ms = gauge.from - now + math.ceil(without_holds / limit.max) }
  end
  if gauge.settled + gauge.held + amount <= limit.max then return nil end
  if gauge.settled + amount <= limit.max then return { why = 'held', wait_ms = 0 } end
  return { why = 'spent', wait_ms = gauge.reset > 0 and gauge.reset - now or 0 }
end

-- Adds *amount* to the counters and to *gauge*, as settled if it is *known*, else as held; returns the hold.
local function take(limit, amount, gauge, known)
  local key = limit_key(limit.id)
  if not known then
    gauge.held = gauge.held + amount
  else
    gauge.settled = gauge.settled + amount
    if gauge.level then gauge.level = gauge.level + amount * PERIOD_MS[limit.per] end
  end
  if gauge.level then
    redis.call('HSET', key, 't', gauge.from, 'q', string.format('%.0f', gauge.level), 'm', limit.max, 'h', gauge.held)
  elseif gauge.start then
    redis.call('HSET', key, 'b', gauge.start, 'm', limit.max, 's', gauge.settled, 'h', gauge.held)
  else
    redis.call('HSET', key, 'h', gauge.held)
  end
  if known then return nil end
  return { limit.id, amount, limit.what, limit.per, gauge.start or 0, limit.mode == 'balanced' and 1 or nil }
end

-- Settles a hold with the actual usage; *charged* is what an expired lease was charged before.
local function settle_hold(hold, actual, now, charged)
  local id, amount, unit, per, start = hold[1], hold[2], hold[3], hold[4], hold[5]
  local key = limit_key(id)
  local release = charged and 0 or amount
  if unit == 'parallel_requests' then
    if release > 0 and redis.call('EXISTS', key) == 1 then redis.call('HINCRBY', key, 'h', -release) end
    return
  end
  local added = actual - (charged or 0)
  local period = PERIOD_MS[per]
  if period then
    -- What has drained since cannot be given back: a late correction here only ever adds.
    if charged and actual < charged or redis.call('EXISTS', key) == 0 then return end
    local counters = redis.call('HMGET', key, 'q', 't', 'm')
    store_bucket(key, drained(counters[1], counters[2], counters[3], now) + added * period, counters[3],
      drains_from(counters[2], now, period))
    if release > 0 then redis.call('HINCRBY', key, 'h', -release) end
    return
  end
  local windows = redis.call('HMGET', key, 'b', 'pb', 'h', 'ph')
  local settled, held, open = 's', 'h', windows[3]
  if tonumber(windows[1]) ~= start then
    if tonumber(windows[2]) ~= start then return end -- an older window, which only the ledger records, or no limit any more
    settled, held, open = 'ps', 'ph', windows[4]
  end
  redis.call('HINCRBY', key, settled, added)
  release = math.min(release, tonumber(open) or 0) -- the window may have been left and entered again
  if release > 0 then redis.call('HINCRBY', key, held, -release) end
end

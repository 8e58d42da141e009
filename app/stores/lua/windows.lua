-- Limits: what is settled, what is held, whether an amount more fits.
--
-- A limit is {id, what, per, max, mode, model?, scope}. Its counters are a hash:
--   m  the maximum the counters were last used with     h  held by open requests
--   second, minute: GCRA as a leaky bucket in whole numbers
--     t  when q was last drained, ms      q  units * period not yet drained; drains m per ms
--   hour, day, week, month, ever: one window of the calendar and the one before it
--     b, s  start of the window, settled in it      pb, ps, ph  the same of the last one
-- Invariant: settled + held <= max, at every admission, in every window, though the clock go back.

local PERIOD_MS = { second = 1000, minute = 60000 }
local PERIODS = { none = true, second = true, minute = true, hour = true, day = true, week = true, month = true, ever = true }
local WHATS = { requests = true, input_tokens = true, output_tokens = true, total_tokens = true, cost = true,
  parallel_requests = true }

-- Amounts are whole numbers below this: sums of them stay exact in a double, and cjson writes
-- 14 digits. A request that may use more has no bound.
local MOST = 1e13

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
  local w = calendar[per]
  if not w or now < w[1] or now >= w[3] then return nil end
  if now >= w[2] then return w[2], w[3] end
  return w[1], w[2]
end

-- Since when q drains. A clock that went back by a period at most drains nothing until it is where it was;
-- one that went back further had jumped ahead before, and drains from now on.
local function drains_from(t, now, period)
  t = tonumber(t)
  return t and t > now and t - now <= period and t or now
end

-- What is left of q at *now*. A clock that went back, as after a failover, drains nothing.
local function drained(q, t, rate, now)
  return math.max(0, (tonumber(q) or 0) - math.max(0, now - (tonumber(t) or now)) * (tonumber(rate) or 0))
end

local function store_bucket(key, q, rate, from)
  redis.call('HSET', key, 't', from, 'q', string.format('%.0f', q), 'm', rate)
end

-- The clock had jumped ahead by more than a window and is back. What was settled or is held in the window
-- that is yet to come counts in this one, beside what this one had; the former is released where it is held.
local function returned(limit, c, start, reset)
  local key, held, settled = limit_key(limit.id), tonumber(c[1]) or 0, tonumber(c[6]) or 0
  local last = redis.call('HMGET', key, 'pb', 'ps', 'ph')
  local known_here = tonumber(last[1]) == start
  local settled_here = settled + held + (known_here and tonumber(last[2]) or 0)
  local held_here = known_here and tonumber(last[3]) or 0
  redis.call('HSET', key, 'pb', c[5], 'ps', settled, 'ph', held, 'b', start, 's', settled_here, 'h', held_here)
  return { settled = settled_here, held = held_here, start = start, reset = reset }
end

-- Reads a limit's counters as they stand at *now*: {settled, held, start, reset, q}. Rolls the
-- window over when it has ended, and lets an edited limit drain at its new rate from now on. *is_past*: now
-- is a moment of the past, which says nothing of the clock.
local function gauge(limit, now, calendar, is_past)
  local c = redis.call('HMGET', limit_key(limit.id), 'h', 't', 'q', 'm', 'b', 's')
  local held = tonumber(c[1]) or 0
  if limit.what == 'parallel_requests' then return { settled = 0, held = held, reset = 0 } end
  local period = PERIOD_MS[limit.per]
  if period then
    local q, from = drained(c[3], c[2], c[4], now), drains_from(c[2], now, period)
    local jumped = c[2] and tonumber(c[2]) > now and from == now
    if jumped or c[4] and tonumber(c[4]) ~= limit.max then store_bucket(limit_key(limit.id), q, limit.max, from) end
    return { settled = math.ceil(q / period), held = held, q = q, from = from, reset = from + math.ceil(q / limit.max) }
  end
  local start, reset = calendar_window(limit.per, now, calendar)
  if not start then return nil end
  local known = tonumber(c[5]) or 0
  if known > reset and reset > 0 and not is_past then return returned(limit, c, start, reset) end
  if known < start then
    redis.call('HSET', limit_key(limit.id), 'pb', known, 'ps', tonumber(c[6]) or 0, 'ph', held,
      'b', start, 's', 0, 'h', 0)
    return { settled = 0, held = 0, start = start, reset = reset }
  end
  return { settled = tonumber(c[6]) or 0, held = held, start = known, reset = reset }
end

-- Says why *amount* does not fit: {why = never | spent | held, wait_ms}, or nothing if it does.
local function obstacle(limit, amount, g, now)
  if amount > limit.max then return { why = 'never', wait_ms = 0 } end
  local period = PERIOD_MS[limit.per]
  if period and g.q then
    local excess = g.q + (g.held + amount - limit.max) * period
    if excess <= 0 then return nil end
    local without_holds = g.q + (amount - limit.max) * period
    if without_holds <= 0 then return { why = 'held', wait_ms = 0 } end
    return { why = 'spent', wait_ms = g.from - now + math.ceil(without_holds / limit.max) }
  end
  if g.settled + g.held + amount <= limit.max then return nil end
  if g.settled + amount <= limit.max then return { why = 'held', wait_ms = 0 } end
  return { why = 'spent', wait_ms = g.reset > 0 and g.reset - now or 0 }
end

-- Adds *amount* as settled, where it is known at once, or as held, to the counters and to their
-- reading *g*; returns the hold.
local function take(limit, amount, g, known)
  local key = limit_key(limit.id)
  if not known then
    g.held = g.held + amount
  else
    g.settled = g.settled + amount
    if g.q then g.q = g.q + amount * PERIOD_MS[limit.per] end
  end
  if g.q then
    redis.call('HSET', key, 't', g.from, 'q', string.format('%.0f', g.q), 'm', limit.max, 'h', g.held)
  elseif g.start then
    redis.call('HSET', key, 'b', g.start, 'm', limit.max, 's', g.settled, 'h', g.held)
  else
    redis.call('HSET', key, 'h', g.held)
  end
  if known then return nil end
  return { limit.id, amount, limit.what, limit.per, g.start or 0, limit.mode == 'balanced' and 1 or nil }
end

-- Turns a hold into what was really used; *charged* is what an expired lease was charged before.
local function settle_hold(hold, actual, now, charged)
  local id, amount, what, per, start = hold[1], hold[2], hold[3], hold[4], hold[5]
  local key = limit_key(id)
  if redis.call('EXISTS', key) == 0 then return end
  local release = charged and 0 or amount
  if what == 'parallel_requests' then
    if release > 0 then redis.call('HINCRBY', key, 'h', -release) end
    return
  end
  local more = actual - (charged or 0)
  local period = PERIOD_MS[per]
  if period then
    -- What has drained since cannot be given back: a late correction here only ever adds.
    if charged and actual < charged then return end
    local c = redis.call('HMGET', key, 'q', 't', 'm')
    store_bucket(key, drained(c[1], c[2], c[3], now) + more * period, c[3], drains_from(c[2], now, period))
    if release > 0 then redis.call('HINCRBY', key, 'h', -release) end
    return
  end
  local b = redis.call('HMGET', key, 'b', 'pb', 'h', 'ph')
  local settled, held, open = 's', 'h', b[3]
  if tonumber(b[1]) ~= start then
    if tonumber(b[2]) ~= start then return end -- an older window: the ledger alone remembers it
    settled, held, open = 'ps', 'ph', b[4]
  end
  redis.call('HINCRBY', key, settled, more)
  release = math.min(release, tonumber(open) or 0) -- of a window that was left and entered again
  if release > 0 then redis.call('HINCRBY', key, held, -release) end
end

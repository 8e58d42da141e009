-- Reservations: the amount one attempt may use under each limit, by the account that serves it.
--
-- request.bounds are upper bounds for accounts that enforce the length in the request;
-- request.unenforced_bounds for accounts that may bill more (see `enforces` in accounts.lua); if absent, both are the
-- same. request.estimates are reserved under balanced limits. An amount without a bound is absent.

local SEVERITY = { never = 3, unbounded = 2, spent = 1, held = 0 }

-- Rounds amounts up, and removes those that are too large to be a bound.
local function round_amounts(request)
  for _, amounts in ipairs({ request.bounds, request.estimates, request.unenforced_bounds }) do
    for unit, amount in pairs(amounts) do amounts[unit] = amount < MAX_AMOUNT and math.max(0, math.ceil(amount)) or nil end
  end
end

local function amount_of(limit, request, unenforced)
  if limit.what == 'requests' or limit.what == 'parallel_requests' then return 1 end
  local amounts = request.bounds
  if limit.mode == 'balanced' then
    amounts = request.estimates
  elseif unenforced and request.unenforced_bounds then
    amounts = request.unenforced_bounds
  end
  if limit.what == 'total_tokens' then
    return amounts.input_tokens and amounts.output_tokens and amounts.input_tokens + amounts.output_tokens
  end
  return amounts[limit.what]
end

-- Reads the counters of *limits*; returns nothing if the calendar does not cover now.
local function read_gauges(limits, now, calendar)
  local gauges = {}
  for i, limit in ipairs(limits) do
    gauges[i] = read_gauge(limit, now, calendar)
    if not gauges[i] then return nil end
  end
  return gauges
end

-- Returns the refusal when a reservation does not fit: that of the limit with the longest wait. *unenforced*: for
-- which accounts the reservation is. request.team: the team whose limits are among these.
local function refusal_of(limits, gauges, request, unenforced, now)
  local refusal
  local function compare(limit, reason, wait_ms, gauge, amount)
    if refusal and (SEVERITY[refusal.why] > SEVERITY[reason] or (refusal.why == reason and refusal.wait_ms >= wait_ms)) then
      return
    end
    refusal = { refused = 'limit', why = reason, wait_ms = wait_ms, limit = limit, amount = amount, now = now,
      settled = gauge.settled, held = gauge.held, reset_ms = gauge.reset or 0, unenforced = unenforced,
      team = limit.scope == 'team' and request.team or nil }
  end
  for i, limit in ipairs(limits) do
    local amount, gauge = amount_of(limit, request, unenforced), gauges[i]
    if not amount then
      compare(limit, 'unbounded', 0, { settled = 0, held = 0 }, 0)
    else
      local obstacle_found = find_obstacle(limit, amount, gauge, now)
      if obstacle_found then compare(limit, obstacle_found.why, obstacle_found.wait_ms, gauge, amount) end
    end
  end
  return refusal
end

-- Makes a reservation that fits; returns its holds. Requests are counted immediately.
local function reserve(limits, gauges, request, unenforced)
  local holds = {}
  for i, limit in ipairs(limits) do
    holds[#holds + 1] = take(limit, amount_of(limit, request, unenforced), gauges[i], limit.what == 'requests')
  end
  return holds
end

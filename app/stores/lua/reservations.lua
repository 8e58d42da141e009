-- Reservations: what one attempt may use under each limit, by the account that serves it.
--
-- ask.bounds are upper bounds where the account keeps the length that the request names;
-- ask.unenforced_bounds where what it bills may exceed that length (see `enforces` in accounts.lua). Without the
-- latter both are the same. ask.estimates are what balanced limits hold. An amount that cannot be bounded is absent.

local SEVERITY = { never = 3, unbounded = 2, spent = 1, held = 0 }

-- Makes amounts whole and drops those that are no bound.
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

-- Reads the counters of *limits*; nothing where the calendar does not know a window of now.
local function read_gauges(limits, now, calendar)
  local gauges = {}
  for i, limit in ipairs(limits) do
    gauges[i] = read_gauge(limit, now, calendar)
    if not gauges[i] then return nil end
  end
  return gauges
end

-- Returns what to answer where a reservation does not fit: the limit that refuses it for longest. *unenforced*
-- says for which accounts it is made.
local function refusal_of(limits, gauges, request, unenforced, now)
  local refusal
  local function compare(limit, reason, wait_ms, gauge, amount)
    if refusal and (SEVERITY[refusal.why] > SEVERITY[reason] or (refusal.why == reason and refusal.wait_ms >= wait_ms)) then
      return
    end
    refusal = { refused = 'limit', why = reason, wait_ms = wait_ms, limit = limit, amount = amount, now = now,
      settled = gauge.settled, held = gauge.held, reset_ms = gauge.reset or 0, unenforced = unenforced }
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

-- Takes a reservation that fits; returns its holds. Requests are counted at once.
local function reserve(limits, gauges, request, unenforced)
  local holds = {}
  for i, limit in ipairs(limits) do
    holds[#holds + 1] = take(limit, amount_of(limit, request, unenforced), gauges[i], limit.what == 'requests')
  end
  return holds
end

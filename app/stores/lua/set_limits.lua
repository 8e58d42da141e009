-- Store the limits of a key, of a team or of the pool, and update their counters.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {key: its id, or '' for a team or the pool, team: its name or absent, was, list: the limits as JSON texts,
--          before and after, added: limit or absent, removed: id or absent, days: [start of a roll-up, ms],
--          calendar}
-- Returns  JSON: {done}, or {refused: changed | calendar | removed, now}: the limits are no longer *was*, the
--          calendar does not cover now, or the team does not exist.
-- A new limit starts with the usage of its window from the roll-ups, and with reservations for open requests.
-- The counters of a removed limit are deleted; those of a changed one stay.
local args, now = cjson.decode(ARGV[1]), clock()
check(args, {
  key = 'text', team = '?text', was = 'blob', list = 'blob', added = '?object', removed = '?text', days = 'list',
  calendar = 'object',
})
check_each(args.days, 'count', 'days')
check_calendar(args.calendar)
if args.added then
  check(args.added, { id = 'text', what = 'text', per = 'text', max = 'count', mode = 'text', model = '?text' })
  if args.added.max < 1 or not PERIODS[args.added.per] or not UNITS[args.added.what] then refuse('added') end
end
local owner = args.key ~= '' and api_key_key(args.key) or args.team and team_key(args.team) or POOL
if args.team and redis.call('EXISTS', owner) == 0 then return cjson.encode({ refused = 'removed', now = now }) end
if (redis.call('HGET', owner, 'limits') or '[]') ~= args.was then return cjson.encode({ refused = 'changed', now = now }) end

local function total(key, figure, limit)
  local pattern, cursor, sum, seen = (args.key ~= '' and args.key or args.team or '*') .. '|*|' .. figure, '0', 0, {}
  repeat
    local page = redis.call('HSCAN', key, cursor, 'MATCH', pattern, 'COUNT', 1000)
    cursor = page[1]
    for i = 1, #page[2], 2 do
      local prefix = page[2][i]
      local model = string.match(prefix, '^[^|]*|[^|]*|(.*)|[^|]*$')
      if not seen[prefix] and applies(limit, model) then sum = sum + tonumber(page[2][i + 1]) end
      seen[prefix] = true -- a scan may return a field twice
    end
  until cursor == '0'
  return sum
end

-- The days were listed before this script runs; one that has begun since is in the calendar.
local function listed_days()
  local days, listed = {}, {}
  for _, day in ipairs(args.days) do days[#days + 1], listed[day] = day, true end
  for i = 1, 2 do
    local day = args.calendar.day and args.calendar.day[i]
    if day and not listed[day] then days[#days + 1] = day end
  end
  return days
end

local function settled_since(limit, start)
  local rollup = args.team and team_rollup_key or rollup_key
  local figures = limit.what == 'total_tokens' and { 'input_tokens', 'output_tokens' } or { limit.what }
  if limit.mode ~= 'balanced' then
    for i = 1, #figures do figures[#figures + 1] = 'unreported_' .. figures[i] end
  end
  local sum = 0
  for _, figure in ipairs(figures) do
    if limit.per == 'hour' then
      sum = sum + total(rollup('h', start), figure, limit)
    else
      for _, day in ipairs(listed_days()) do
        if day >= start then sum = sum + total(rollup('d', day), figure, limit) end
      end
    end
  end
  return math.max(0, sum)
end

local function hold_open_requests(limit, gauge)
  for _, id in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
    local stored = read_request(id)
    local counts = stored and (args.key == '' or stored.key == args.key) and (not args.team or stored.team == args.team)
    if counts and applies(limit, stored.model) then
      local known = limit.what == 'requests'
      local balanced = limit.mode == 'balanced'
      for _, charge in ipairs(known and {} or charges_of(stored)) do
        take(limit, charged_amount(charge, limit.what, balanced), gauge, true)
      end
      local bounds = stored.bounds ~= '' and cjson.decode(stored.bounds) or {}
      local amount = limit.what == 'parallel_requests' and 1 or charged_amount(bounds, limit.what, balanced)
      local hold = take(limit, amount, gauge, known)
      if hold then
        local holds = cjson.decode(stored.holds)
        holds[#holds + 1] = hold
        redis.call('HSET', request_key(id), 'holds', cjson.encode(holds))
      end
    end
  end
end

if args.added then
  local gauge = read_gauge(args.added, now, args.calendar)
  if not gauge then return cjson.encode({ refused = 'calendar', now = now }) end
  if gauge.start then
    gauge.settled = settled_since(args.added, gauge.start)
    redis.call('HSET', limit_key(args.added.id), 'b', gauge.start, 's', string.format('%.0f', gauge.settled))
  end
  hold_open_requests(args.added, gauge)
end
if args.removed then redis.call('DEL', limit_key(args.removed)) end
redis.call('HSET', owner, 'limits', args.list)
return cjson.encode({ done = true, now = now })

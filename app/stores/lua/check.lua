-- Checks of a script's arguments. Every script that writes checks them before its first write, so a script
-- that refuses has changed nothing. The error names the argument, never its value.
--
-- A shape is {name = kind}; a kind that begins with ? may be absent or null. Kinds:
--   text   a string of at most MAX_TEXT bytes     blob   a string of any length
--   number finite, MAX_NUMBER at most either way  whole  a number without a fraction
--   count  whole, not below zero                  flag   true or false
--   figure whole, as far as doubles are exact     scalar a number, a blob or a flag
--   list   an array                               object a table

local MAX_NUMBER = 1e14 -- cjson writes 14 digits, and doubles hold sums of ninety such
local MAX_TEXT = 4096 -- bytes: four times 256 characters of four bytes

local function refuse(name) error('refused: ' .. name .. ' is not what the script documents', 0) end

local function is_number(v) return type(v) == 'number' and v >= -MAX_NUMBER and v <= MAX_NUMBER end -- NaN is neither
local function is_text(v) return type(v) == 'string' and #v <= MAX_TEXT end

local IS_KIND = {
  text = is_text,
  blob = function(v) return type(v) == 'string' end,
  number = is_number,
  whole = function(v) return is_number(v) and v % 1 == 0 end,
  count = function(v) return is_number(v) and v % 1 == 0 and v >= 0 end,
  figure = function(v) return type(v) == 'number' and v >= -2 ^ 53 and v <= 2 ^ 53 and v % 1 == 0 end,
  flag = function(v) return type(v) == 'boolean' end,
  list = function(v) return type(v) == 'table' and (next(v) == nil or v[1] ~= nil) end,
  object = function(v) return type(v) == 'table' end,
  scalar = function(v) return is_number(v) or type(v) == 'string' or type(v) == 'boolean' end,
}

-- Checks the fields of *value* that *shape* names, and removes nulls.
local function check(value, shape)
  if type(value) ~= 'table' then refuse('the argument') end
  for name, kind in pairs(shape) do
    local v = value[name]
    if v == cjson.null then
      value[name], v = nil, nil
    end
    if string.byte(kind) == 63 then -- ?
      if v ~= nil and not IS_KIND[string.sub(kind, 2)](v) then refuse(name) end
    elseif v == nil or not IS_KIND[kind](v) then
      refuse(name)
    end
  end
  return value
end

-- Checks that all values of a table are of one kind.
local function check_each(values, kind, name)
  for _, v in pairs(values or {}) do
    if not IS_KIND[kind](v) then refuse(name) end
  end
end

-- Reads an argument that is a number written as text.
local function number_argument(text, name)
  local n = tonumber(text)
  if not n or not IS_KIND.count(n) then refuse(name) end
  return n
end

-- The following checks run with every request. Their tests compare instead of calling `type`, which costs ten times
-- as much: Lua raises an error where a comparison meets another type, and `check_by` catches it.

local function is_count(v) return type(v) == 'number' and v >= 0 and v <= MAX_NUMBER and v % 1 == 0 end

-- Refuses *value* unless *test* returns true for it.
local function check_by(test, value, name)
  local ran, result = pcall(test, value)
  if not (ran and result) then refuse(name) end
end

local function has_outcome_texts(outcome)
  local ok, soft, state, reason, model = outcome.ok, outcome.soft, outcome.state, outcome.reason, outcome.model
  local why, requested_model, exceeded, unanswered = outcome.why, outcome.asked, outcome.exceeded, outcome.unanswered
  return (ok == nil or ok == true or ok == false) and (soft == nil or soft == true or soft == false)
    and (state == nil or state >= '') and (reason == nil or reason >= '') and (model == nil or model >= '')
    and (why == nil or why >= '') and (requested_model == nil or requested_model >= '')
    and (exceeded == nil or exceeded >= '') and (unanswered == nil or unanswered >= '')
end

-- Checks usage windows: at most two, each {used percent, reset ms[, seconds]} or null.
local function check_windows(windows) -- rare
  if type(windows) ~= 'table' then refuse('windows') end
  for i, window in ipairs(windows) do
    if window ~= cjson.null then
      if i > 2 or type(window) ~= 'table' or #window < 2 or #window > 3 then refuse('windows') end
      check_each(window, 'number', 'windows')
    end
  end
end

-- Checks an outcome for `apply_outcome`. All of its fields are named here.
local function check_outcome(outcome)
  if outcome == nil or outcome == cjson.null then return nil end
  check_by(has_outcome_texts, outcome, 'mark')
  if not outcome.ok then
    local is_suspicion = outcome.soft or outcome.base_ms ~= nil or outcome.most_ms ~= nil
    if is_suspicion and not (is_count(outcome.base_ms) and is_count(outcome.most_ms)) then refuse('base_ms') end
    if (outcome.state or outcome.model) and not outcome.soft and not is_count(outcome.wait_ms) then refuse('wait_ms') end
    if outcome.retest_wait_ms ~= nil and not is_count(outcome.retest_wait_ms) then refuse('retest_wait_ms') end
  end
  if outcome.windows ~= nil then check_windows(outcome.windows) end
  return outcome
end

-- Whether it is {per = {start, end, end of the next}}.
local function is_calendar(calendar)
  for _, window in pairs(calendar) do
    local from, till, next_end = window[1], window[2], window[3]
    if not (from >= 0 and from <= MAX_NUMBER and from % 1 == 0 and till >= 0 and till <= MAX_NUMBER and till % 1 == 0
      and next_end >= 0 and next_end <= MAX_NUMBER and next_end % 1 == 0) then return false end
  end
  return true
end

local function check_calendar(calendar)
  if calendar ~= nil then check_by(is_calendar, calendar, 'calendar') end
end

local function are_amounts(amounts)
  for _, v in pairs(amounts) do
    if not (v >= 0 or v < 0) then return false end -- NaN is neither
  end
  return true
end

local function are_texts(list)
  for _, v in pairs(list) do
    if v < '' then return false end -- no text is; another type is an error
  end
  return true
end

local function check_texts(list, name) check_by(are_texts, list, name) end

local function has_texts(request)
  local ownership, conversation, demo, stored = request.ownership, request.conversation, request.demo, request.stored
  return request.id >= '' and request.key >= '' and request.model >= '' and request.endpoint >= ''
    and request.wire >= '' and request.affinity >= '' and request.pin >= ''
    and (ownership == nil or ownership >= '') and (conversation == nil or conversation >= '')
    and (demo == nil or demo == true or demo == false) and (stored == nil or stored == true or stored == false)
    and #request.id + #request.key + #request.model + #request.endpoint <= MAX_TEXT
end

local function has_times(request)
  local ttl, sticky, by = request.ttl_ms, request.sticky_ms, request.by_ms
  return ttl >= 0 and ttl <= MAX_NUMBER and ttl % 1 == 0 and sticky >= 0 and sticky <= MAX_NUMBER and sticky % 1 == 0
    and (request.affinity == '' or sticky >= 1)
    and (by == nil or by >= 0 and by <= MAX_NUMBER and by % 1 == 0)
end

-- Checks the fields of a request in admissions and reports.
local function check_request(request)
  check_by(has_texts, request, 'a text of the request')
  check_by(has_times, request, 'a time of the request')
  if request.unreadable ~= nil then check_texts(request.unreadable, 'unreadable') end
  if request.ineligible_kinds ~= nil then check_texts(request.ineligible_kinds, 'ineligible_kinds') end
  if request.unlisted_kinds ~= nil then check_texts(request.unlisted_kinds, 'unlisted_kinds') end
  if request.kinds ~= nil then check_texts(request.kinds, 'kinds') end
  if request.requested ~= nil and not is_text(request.requested) then refuse('requested') end
  if request.accounts ~= nil then check_texts(request.accounts, 'accounts') end
  check_by(is_calendar, request.calendar, 'calendar')
  check_by(are_amounts, request.bounds, 'bounds')
  check_by(are_amounts, request.estimates, 'estimates')
  if request.unenforced_bounds ~= nil then check_by(are_amounts, request.unenforced_bounds, 'unenforced_bounds') end
end

-- Returns a scalar as it is stored: commands take no booleans.
local function storable(value) return type(value) == 'boolean' and tostring(value) or value end

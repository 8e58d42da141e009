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
local MAX_TEXT = 4096 -- 256 characters of four bytes, four times over

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

-- The following checks run with every request, so they are written out instead of described by shapes.

local function is_count(v) return type(v) == 'number' and v >= 0 and v <= MAX_NUMBER and v % 1 == 0 end
local function may_be(v, kind) return v == nil or type(v) == kind end

-- Checks an outcome for `apply_outcome`. All of its fields are named here.
local function check_outcome(outcome)
  if outcome == nil or outcome == cjson.null then return nil end
  if type(outcome) ~= 'table' or not (may_be(outcome.ok, 'boolean') and may_be(outcome.soft, 'boolean')
    and may_be(outcome.state, 'string') and may_be(outcome.reason, 'string') and may_be(outcome.model, 'string')
    and may_be(outcome.why, 'string') and may_be(outcome.asked, 'string') and may_be(outcome.exceeded,
      'string')) then refuse('mark') end
  if not outcome.ok then
    local is_suspicion = outcome.soft or outcome.base_ms ~= nil or outcome.most_ms ~= nil
    if is_suspicion and not (is_count(outcome.base_ms) and is_count(outcome.most_ms)) then refuse('base_ms') end
    if (outcome.state or outcome.model) and not outcome.soft and not is_count(outcome.wait_ms) then refuse('wait_ms') end
    if outcome.retest_wait_ms ~= nil and not is_count(outcome.retest_wait_ms) then refuse('retest_wait_ms') end
  end
  if outcome.windows == nil then return outcome end
  if type(outcome.windows) ~= 'table' then refuse('windows') end
  for i, window in ipairs(outcome.windows) do
    if window ~= cjson.null then
      if i > 2 or type(window) ~= 'table' or #window < 2 or #window > 3 then refuse('windows') end
      check_each(window, 'number', 'windows')
    end
  end
  return outcome
end

-- Checks {per = {start, end, end of the next}}.
local function check_calendar(calendar)
  if calendar == nil then return end
  if type(calendar) ~= 'table' then refuse('calendar') end
  for _, window in pairs(calendar) do
    if type(window) ~= 'table' or not (is_count(window[1]) and is_count(window[2]) and is_count(window[3])) then
      refuse('calendar')
    end
  end
end

local function check_amounts(amounts)
  if type(amounts) ~= 'table' then refuse('bounds') end
  for _, v in pairs(amounts) do
    if type(v) ~= 'number' or v ~= v then refuse('bounds') end
  end
end

local function check_texts(list, name)
  if type(list) ~= 'table' then refuse(name) end
  for _, v in pairs(list) do
    if type(v) ~= 'string' then refuse(name) end
  end
end

-- Checks the fields of a request in admissions and reports.
local function check_request(request)
  if type(request) ~= 'table' or type(request.id) ~= 'string' or type(request.key) ~= 'string'
    or type(request.model) ~= 'string'
    or type(request.endpoint) ~= 'string' or type(request.wire) ~= 'string' or type(request.affinity) ~= 'string'
    or type(request.pin) ~= 'string' or not (may_be(request.ownership, 'string')
    and may_be(request.conversation, 'string')
    and may_be(request.demo, 'boolean') and may_be(request.stored, 'boolean')) then refuse('a text of the request') end
  if #request.id + #request.key + #request.model + #request.endpoint > MAX_TEXT then refuse('a text of the request') end
  if not is_count(request.ttl_ms) or not is_count(request.sticky_ms) then refuse('ttl_ms') end
  if request.affinity ~= '' and request.sticky_ms < 1 then refuse('sticky_ms') end
  if request.by_ms ~= nil and not is_count(request.by_ms) then refuse('by_ms') end
  if request.unreadable ~= nil then check_texts(request.unreadable, 'unreadable') end
  if request.unfit_kinds ~= nil then check_texts(request.unfit_kinds, 'unfit_kinds') end
  if request.kinds ~= nil then check_texts(request.kinds, 'kinds') end
  if request.calendar == nil then refuse('calendar') end
  check_calendar(request.calendar)
  check_amounts(request.bounds)
  check_amounts(request.estimates)
  if request.unenforced_bounds ~= nil then check_amounts(request.unenforced_bounds) end
end

-- Returns a scalar as it is stored: commands take no booleans.
local function storable(value) return type(value) == 'boolean' and tostring(value) or value end

-- What the arguments of a script must be. Every script that writes checks them before its first write, so
-- one that refuses has changed nothing. Its caller is told which argument it was, and never its value.
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

local IS = {
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

-- Checks the fields of *value* that *shape* names; a null is taken away.
local function check(value, shape)
  if type(value) ~= 'table' then refuse('the argument') end
  for name, kind in pairs(shape) do
    local v = value[name]
    if v == cjson.null then
      value[name], v = nil, nil
    end
    if string.byte(kind) == 63 then -- ?
      if v ~= nil and not IS[string.sub(kind, 2)](v) then refuse(name) end
    elseif v == nil or not IS[kind](v) then
      refuse(name)
    end
  end
  return value
end

-- Checks that all values of a table are of one kind.
local function check_each(values, kind, name)
  for _, v in pairs(values or {}) do
    if not IS[kind](v) then refuse(name) end
  end
end

-- Reads an argument that is a number written as text.
local function number_argument(text, name)
  local n = tonumber(text)
  if not n or not IS.count(n) then refuse(name) end
  return n
end

-- Checks what `apply_mark` reads. Each field of a mark is named here.
local function check_mark(mark)
  if mark == nil or mark == cjson.null then return nil end
  check(mark, { ok = '?flag', soft = '?flag', state = '?text', reason = '?text', model = '?text', wait_ms = '?count',
    retest_wait_ms = '?count', base_ms = '?count', most_ms = '?count', windows = '?list' })
  if mark.soft and not (mark.base_ms and mark.most_ms) then refuse('base_ms') end
  if (mark.state or mark.model) and not mark.ok and not mark.soft and not mark.wait_ms then refuse('wait_ms') end
  for i = 1, mark.windows and #mark.windows or 0 do
    local w = mark.windows[i]
    if w ~= cjson.null then
      if i > 2 or not IS.list(w) or #w < 2 or #w > 3 then refuse('windows') end
      check_each(w, 'number', 'windows')
    end
  end
  return mark
end

-- Checks {per = {start, end, end of the next}}.
local function check_calendar(calendar)
  for _, window in pairs(calendar or {}) do
    if not IS.list(window) or #window ~= 3 then refuse('calendar') end
    check_each(window, 'count', 'calendar')
  end
end

local AMOUNT_NAMES = { 'input_tokens', 'output_tokens', 'cost' }

-- Checks what admissions and reports say of a request.
local function check_request(ask)
  check(ask, { id = 'text', key = 'text', model = 'text', endpoint = 'text', wire = 'text', affinity = 'text',
    pin = 'text', ownership = '?text', conversation = '?text', kinds = '?text', unfit_kinds = '?list',
    demo = '?flag', ttl_ms = 'count', sticky_ms = 'count', calendar = 'object', bounds = 'object', estimates = 'object', by_ms = '?count' })
  check_each(ask.unfit_kinds, 'text', 'unfit_kinds')
  check_calendar(ask.calendar)
  for _, amounts in ipairs({ ask.bounds, ask.estimates }) do
    for _, name in ipairs(AMOUNT_NAMES) do
      local v = amounts[name]
      if v ~= nil and not (type(v) == 'number' and v == v) then refuse(name) end
    end
  end
  if ask.affinity ~= '' and ask.sticky_ms < 1 then refuse('sticky_ms') end
end

-- How a scalar is stored: commands take no booleans.
local function stored(value) return type(value) == 'boolean' and tostring(value) or value end

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

-- What follows runs with every request, so it is written out instead of described by shapes.

local function is_count(v) return type(v) == 'number' and v >= 0 and v <= MAX_NUMBER and v % 1 == 0 end
local function may_be(v, kind) return v == nil or type(v) == kind end

-- Checks what `apply_mark` reads. Each field of a mark is named here.
local function check_mark(mark)
  if mark == nil or mark == cjson.null then return nil end
  if type(mark) ~= 'table' or not (may_be(mark.ok, 'boolean') and may_be(mark.soft, 'boolean')
    and may_be(mark.state, 'string') and may_be(mark.reason, 'string') and may_be(mark.model, 'string')
    and may_be(mark.why, 'string') and may_be(mark.asked, 'string') and may_be(mark.exceeded, 'string')) then refuse('mark') end
  if not mark.ok then
    local is_suspicion = mark.soft or mark.base_ms ~= nil or mark.most_ms ~= nil
    if is_suspicion and not (is_count(mark.base_ms) and is_count(mark.most_ms)) then refuse('base_ms') end
    if (mark.state or mark.model) and not mark.soft and not is_count(mark.wait_ms) then refuse('wait_ms') end
    if mark.retest_wait_ms ~= nil and not is_count(mark.retest_wait_ms) then refuse('retest_wait_ms') end
  end
  if mark.windows == nil then return mark end
  if type(mark.windows) ~= 'table' then refuse('windows') end
  for i, w in ipairs(mark.windows) do
    if w ~= cjson.null then
      if i > 2 or type(w) ~= 'table' or #w < 2 or #w > 3 then refuse('windows') end
      check_each(w, 'number', 'windows')
    end
  end
  return mark
end

-- Checks {per = {start, end, end of the next}}.
local function check_calendar(calendar)
  if calendar == nil then return end
  if type(calendar) ~= 'table' then refuse('calendar') end
  for _, w in pairs(calendar) do
    if type(w) ~= 'table' or not (is_count(w[1]) and is_count(w[2]) and is_count(w[3])) then refuse('calendar') end
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

-- Checks what admissions and reports say of a request.
local function check_request(ask)
  if type(ask) ~= 'table' or type(ask.id) ~= 'string' or type(ask.key) ~= 'string' or type(ask.model) ~= 'string'
    or type(ask.endpoint) ~= 'string' or type(ask.wire) ~= 'string' or type(ask.affinity) ~= 'string'
    or type(ask.pin) ~= 'string' or not (may_be(ask.ownership, 'string') and may_be(ask.kinds, 'string')
    and may_be(ask.conversation, 'string')
    and may_be(ask.demo, 'boolean') and may_be(ask.stored, 'boolean')) then refuse('a text of the request') end
  if #ask.id + #ask.key + #ask.model + #ask.endpoint > MAX_TEXT then refuse('a text of the request') end
  if not is_count(ask.ttl_ms) or not is_count(ask.sticky_ms) then refuse('ttl_ms') end
  if ask.affinity ~= '' and ask.sticky_ms < 1 then refuse('sticky_ms') end
  if ask.by_ms ~= nil and not is_count(ask.by_ms) then refuse('by_ms') end
  if ask.unreadable ~= nil then check_texts(ask.unreadable, 'unreadable') end
  if ask.unfit_kinds ~= nil then check_texts(ask.unfit_kinds, 'unfit_kinds') end
  if ask.calendar == nil then refuse('calendar') end
  check_calendar(ask.calendar)
  check_amounts(ask.bounds)
  check_amounts(ask.estimates)
  if ask.unenforced_bounds ~= nil then check_amounts(ask.unenforced_bounds) end
end

-- How a scalar is stored: commands take no booleans.
local function storable(value) return type(value) == 'boolean' and tostring(value) or value end

-- The names of accounts and API keys that were removed last, for reports and for accounts that take their places.

local MAX_FORMER = 1000 -- of each kind: many removed keys leave the names of accounts known

-- Returns the kind of object that has *id* (also with what follows it): its letters, such as `key` or `acct`.
local function kind_of_id(id)
  return string.match(id, '^%a*')
end

local function remember_name(id, name, now)
  redis.call('ZADD', FORMER, now, id .. ' ' .. name)
  if redis.call('ZCARD', FORMER) <= MAX_FORMER then return end
  local kind, number = kind_of_id(id), 0
  for _, member in ipairs(redis.call('ZREVRANGE', FORMER, 0, -1)) do
    if kind_of_id(member) == kind then
      number = number + 1
      if number > MAX_FORMER then redis.call('ZREM', FORMER, member) end
    end
  end
end

-- The names of accounts and API keys that were removed last, for reports about their usage.

local MAX_FORMER = 1000

local function remember_name(id, name, now)
  redis.call('ZADD', FORMER, now, id .. ' ' .. name)
  redis.call('ZREMRANGEBYRANK', FORMER, 0, -MAX_FORMER - 1)
end

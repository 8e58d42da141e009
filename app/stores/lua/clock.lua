-- The one clock of all scripts: Unix milliseconds as Redis tells them.
local function clock()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

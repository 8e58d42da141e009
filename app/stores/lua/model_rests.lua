-- Models that rest at single accounts: overloaded, limited, suspected or missing there.

local MAX_RESTING = 64 -- models remembered for each account as resting, and the same number as missing

-- Why a model rests at an account. The score in rest:<account> is the end of the rest, with the reason after
-- the decimal point, so that one read returns both.
local REASONS = { overloaded = 0.25, limited = 0.5, suspected = 0.75 }
local NAMED = { [0.25] = 'overloaded', [0.5] = 'limited', [0.75] = 'suspected' }

-- Returns why *model* rests at *id*, and until when (ms); nothing if it does not.
local function model_rest(id, model, now)
  local lacks = tonumber(redis.call('ZSCORE', lacks_key(id), model) or nil)
  if lacks and lacks > now then return 'missing', lacks end
  local rest = tonumber(redis.call('ZSCORE', rest_key(id), model) or nil)
  if rest and rest > now then return NAMED[rest % 1] or 'overloaded', math.floor(rest) end
end

-- Rests one model at one account. Bounded: beyond MAX_RESTING, those that end first are forgotten.
local function rest_model(id, model, reason, wait_ms, now)
  local key = reason == 'missing' and lacks_key(id) or rest_key(id)
  local until_ms = now + math.max(1, math.floor(wait_ms))
  redis.call('ZADD', key, string.format('%.2f', until_ms + (REASONS[reason] or 0)), model)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  local excess = redis.call('ZCARD', key) - MAX_RESTING
  if excess > 0 then redis.call('ZREMRANGEBYRANK', key, 0, excess - 1) end
  local latest = math.max(until_ms, tonumber(redis.call('ZSCORE', RESTED, id) or 0))
  redis.call('ZADD', RESTED, string.format('%.0f', latest), id)
  redis.call('PEXPIRE', rest_key(id), string.format('%.0f', latest - now + 1))
  redis.call('PEXPIRE', lacks_key(id), string.format('%.0f', latest - now + 1))
end

-- Models that an account lacked are tried again: its list of models has changed.
local function forget_missing(id) redis.call('DEL', lacks_key(id)) end

-- All models of an account are tried again: an operator has resumed it.
local function forget_rests(id) redis.call('DEL', lacks_key(id), rest_key(id)) end

-- What a refused request may hope for within seconds: an account that could serve it comes back, or a
-- busy one is done with another request.

local MOST_EXAMINED = 200 -- accounts of one pool, so that a refusal stays cheap
local BRIEF = { burst_limited = true, suspected = true } -- states that end by themselves, at a known time

-- Returns when the first account that could serve *ask* is over its rest (in ms from now; nil: none is
-- known), and how many that could are active but at their cap or being tested after a brief rest.
local function prospects(ask, now)
  local offers, soonest, busy = offers_for(ask), nil, 0
  local pin = pinned_to(ask)
  local ids = pin ~= '' and { pin } or redis.call('HVALS', NAMES)
  local function rests_until(due)
    due = tonumber(due)
    if due and due > now and due < math.huge and (not soonest or due < soonest) then soonest = due end
  end
  for i = 1, math.min(#ids, MOST_EXAMINED) do
    local id = ids[i]
    local offer, state, probe = unpack(redis.call('HMGET', account_key(id), 'offer', 'state', 'probe'))
    if offer and offers[offer] and (not ask.allowed or ask.allowed[id]) then
      local why, over = model_rest(id, ask.model, now)
      if why == 'missing' then -- no wait gives it the model
      elseif BRIEF[state] then
        rests_until(redis.call('ZSCORE', OUT, id))
      elseif state == 'active' then
        if why then
          rests_until(over)
        elseif not probe or probe == '0' or BRIEF[probe] then
          busy = busy + 1
        end
      end
    end
  end
  return soonest and soonest - now, busy
end

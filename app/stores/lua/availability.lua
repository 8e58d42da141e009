-- When a refused request could be served within seconds: an account returns, or a busy one ends another request.

local MAX_EXAMINED = 200 -- accounts of one pool: bounds the cost of a refusal
local EXAMINED_EACH_TIME = 32 -- pools of up to so many accounts are examined at every refusal; larger ones reuse a result
local RESULT_MS = 250 -- how long a larger pool reuses a result
local BRIEF = { burst_limited = true, suspected = true } -- states that end at a known time

-- Returns when the first account that could serve *request* ends its rest (in ms from now; nil: unknown), and
-- how many suitable accounts are active but at their cap, or being tested after a brief rest.
local function estimate_waits(request, now)
  local offers, soonest, busy = offers_for(request), nil, 0
  local pin = pinned_to(request)
  local ids = pin ~= '' and { pin } or redis.call('HVALS', NAMES)
  local function rests_until(due)
    due = tonumber(due)
    if due and due > now and due < math.huge and (not soonest or due < soonest) then soonest = due end
  end
  for i = 1, math.min(#ids, MAX_EXAMINED) do
    local id = ids[i]
    local offer, state, probe = unpack(redis.call('HMGET', account_key(id), 'offer', 'state', 'probe'))
    if offer and offers[offer] and (not request.allowed or request.allowed[id]) then
      local reason, over = model_rest(id, request.model, now)
      local waits = reason ~= 'missing' and not is_unreadable(request, id) -- a wait adds neither a model nor a decryption key
      if waits and BRIEF[state] then
        rests_until(redis.call('ZSCORE', OUT, id))
      elseif waits and state == 'active' then
        if reason then
          rests_until(over)
        elseif not probe or probe == '0' or BRIEF[probe] then
          busy = busy + 1
        end
      end
    end
  end
  return soonest and soonest - now, busy
end

-- Returns the refusal with both waits. Its cost does not grow with the pool: during many refusals, the accounts of a
-- large pool are examined a few times a second, and in between the waits are counted down.
local function no_accounts_refusal_with_waits(request, now) -- rare
  local key
  if request.wait or redis.call('HLEN', NAMES) > EXAMINED_EACH_TIME then
    key = no_accounts_key(redis.sha1hex(cjson.encode({ request.model, request.wire, request.kinds or {}, request.pin,
      request.ownership or '', request.ineligible_kinds or {}, request.unlisted_kinds or {},
      request.unreadable or {}, request.demo or false, request.enforcing_only or false,
      request.allowed and request.key or '', request.accounts or {}, request.never or {} })))
    local stored = redis.call('GET', key)
    local none = stored and cjson.decode(stored)
    if none and now - none.now < RESULT_MS then
      local passed = math.max(0, now - none.now)
      for _, wait in ipairs({ 'wait_ms', 'rest_ms' }) do
        if none[wait] then none[wait] = math.max(0, none[wait] - passed) end
      end
      none.now = now
      return none
    end
  end
  local none = no_accounts_refusal(request, now)
  none.rest_ms, none.busy = estimate_waits(request, now)
  if key then redis.call('SET', key, cjson.encode(none), 'PX', RESULT_MS) end
  return none
end

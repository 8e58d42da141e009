-- Obstacles: why no account could be selected.

-- Returns {state: number of accounts of the pool}.
local function states_of_pool(total)
  local out = redis.call('ZRANGE', OUT, 0, -1)
  local states = { active = total > #out and total - #out or nil }
  for _, id in ipairs(out) do
    local state = redis.call('HGET', account_key(id), 'state') or 'removed'
    states[state] = (states[state] or 0) + 1
  end
  return states
end

-- Returns the accounts that fit this request, in any state.
local function fitting(request, offers)
  local ids, pin = {}, pinned_to(request)
  if pin ~= '' or request.allowed then
    for id in pairs(pin ~= '' and { [pin] = true } or request.allowed) do
      if offers[redis.call('HGET', account_key(id), 'offer') or ''] then ids[#ids + 1] = id end
    end
    return ids
  end
  for offer in pairs(offers) do
    for _, id in ipairs(redis.call('SMEMBERS', members_key(offer))) do ids[#ids + 1] = id end
  end
  return ids
end

-- What prevents an account from serving *model*; `obstacle_at` also returns when that ends (ms, nil: unknown).
local OBSTACLES = { paused = 'paused', credential_dead = 'dead', window_spent = 'spent', payment_required = 'unpaid',
  burst_limited = 'limited', suspected = 'failing', credential_expired = 'failing' }

-- A limit that lasts longer than LONG_MS counts as spent, also that of one model. Same as LONG_RESET_SECONDS in verdicts.py.
local function obstacle_at(id, model, now)
  local LONG_MS = 90000
  local reason, until_ms = model_rest(id, model, now)
  if reason == 'missing' then return 'missing' end
  local values = redis.call('HMGET', account_key(id), 'state', 'until_ms')
  local obstacle = OBSTACLES[values[1]]
  if obstacle == 'unpaid' then return obstacle end
  if obstacle == 'spent' or obstacle == 'paused' or obstacle == 'dead' then return obstacle, tonumber(values[2]) end
  if reason == 'limited' and until_ms - now > LONG_MS then return 'spent', until_ms end
  local due = tonumber(redis.call('ZSCORE', OUT, id) or nil)
  if obstacle == 'limited' and due and due - now > LONG_MS then return 'spent', due end
  if obstacle then return obstacle, math.max(due or now, until_ms or 0) end
  if reason == 'limited' then return 'limited', until_ms end
  return reason and 'failing' or 'busy', until_ms
end

-- Returns the refusal when no account could be picked: accounts by state, the obstacles of those that fit
-- (able = {obstacle: count}), when the first account is due, and when the first spent one is reset. `left` has the
-- obstacles of those that the request may still try, and only these are waited for.
local function no_accounts_refusal(request, now) -- rare
  local total, offers = redis.call('HLEN', NAMES), offers_for(request)
  local able, left, due, resets, reset_due, fit = {}, {}, nil, nil, nil, fitting(request, offers)
  local never = set_of(request.never or {})
  local function earlier(known, at_ms) return math.min(known or at_ms, at_ms) end
  for _, id in ipairs(fit) do
    local obstacle, until_ms = obstacle_at(id, request.model, now)
    if obstacle ~= 'missing' and obstacle ~= 'paused' and is_unreadable(request, id) then
      obstacle, until_ms = 'unreadable', nil
    end
    able[obstacle] = (able[obstacle] or 0) + 1
    if not never[id] then left[obstacle] = (left[obstacle] or 0) + 1 end
    if until_ms and until_ms > now then
      if obstacle == 'spent' then resets = earlier(resets, until_ms) end
      if obstacle == 'spent' and not never[id] then reset_due = earlier(reset_due, until_ms) end
      if obstacle ~= 'spent' and not never[id] then due = earlier(due, until_ms) end
    end
  end
  return { refused = 'no_accounts', states = states_of_pool(total), total = total, offered = #fit > 0,
    known = next(offers_of(request.model)) ~= nil, able = able, left = left, model = request.model, resets_ms = resets or 0,
    wait_ms = math.max(0, (due or reset_due or now) - now), now = now }
end

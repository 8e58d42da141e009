-- Queue: requests that wait for an account, in the order of start-time fair queueing.
--
-- A request begins to wait with the start tag max(virtual time, finish tag of its key's last request); its key's next
-- finish tag is that plus tokens / weight. The lowest tag goes first, and the virtual time is the tag of the last one
-- that was admitted: a key that used more tokens lately stands behind those that used less. A request that leaves
-- unserved is not counted: later requests of its key move up. Source: Goyal, Vin and Cheng, "Start-time Fair Queueing",
-- SIGCOMM 1996.
-- A place is `<arrival>:<class>:<digest of the flow>:<request id>`, so that the first arrival goes first where tags are
-- equal. It is lost unless it is renewed. Requests for the same model at the same accounts are one line, with a virtual
-- time of its own: tokens of models that other accounts serve do not count; a flow is what a key sends to one line.
-- The class encodes what decides which accounts may serve a request: an account is left to the requests that wait
-- before it only if they could use that account.
-- A request that waits after a failed attempt was admitted before those that wait to be: it precedes them, in the order
-- of these requests, and charges its key nothing. The accounts that it has tried are not left to it.
-- The pool's field `queue` exists while requests may wait, so that otherwise the queue need not be read.

local PLACE_MS = 5000 -- how long a place lasts without being renewed
local TAGS_MS = 60000 -- how long the tags of keys are stored after the last request that waited
local LEAST_TOKENS = 100 -- the smallest number of tokens that a request counts as, because it occupies a slot
local OVERDUE = 64 -- maximum number of lost places that one call removes
local MAX_OFFERED = 32 -- accounts of one pick that are compared with the queue
local MAX_TAGS = 4096 -- maximum number of tags, of flows and lines; when there are more, all are forgotten
local RETRY_TAG = -1 -- of requests that wait after a failed attempt
local VIRTUAL = '=virtual:' -- + line: the field of the tags with the line's virtual time
local ARRIVALS = '=arrivals' -- the field of the tags with the number of the last request that began to wait

local function tag_text(tag) return string.format('%.17g', tag) end

local function digest_of(text) return string.sub(redis.sha1hex(text), 1, 16) end

local function request_of(place) return string.match(place, '^%d+:%x+:%x+:(.*)$') end

local function has_queue()
  if redis.call('ZCARD', QUEUE) > 0 then return true end
  redis.call('HDEL', POOL, 'queue')
  return false
end

local function remove_place(id, place)
  redis.call('HDEL', QUEUE_PLACES, id)
  redis.call('ZREM', QUEUE, place)
  redis.call('ZREM', QUEUE_UNTIL, place)
end

-- Removes the place of a request that was not served: its key is not charged for it.
local function leave_queue(id)
  local stored = redis.call('HGET', QUEUE_PLACES, id)
  if not stored then return end
  local place, flow, share, line = unpack(cjson.decode(stored))
  local rank = redis.call('ZRANK', QUEUE, place)
  local later = rank and redis.call('ZRANGE', QUEUE, rank + 1, -1, 'WITHSCORES') or {}
  remove_place(id, place)
  local finish, virtual = unpack(redis.call('HMGET', QUEUE_TAGS, flow, VIRTUAL .. line))
  share, finish, virtual = tonumber(share), tonumber(finish or nil), tonumber(virtual or nil) or 0
  local function moved_up(tag) return tag_text(math.max(math.min(tag, virtual), tag - share)) end
  local own = digest_of(flow)
  for i = 1, #later, 2 do
    if string.match(later[i], '^%d+:%x+:(%x+):') == own then
      redis.call('ZADD', QUEUE, moved_up(tonumber(later[i + 1])), later[i])
    end
  end
  if finish then redis.call('HSET', QUEUE_TAGS, flow, moved_up(finish)) end
end

local function drop_overdue(now)
  for _, place in ipairs(redis.call('ZRANGEBYSCORE', QUEUE_UNTIL, '-inf', now, 'LIMIT', 0, OVERDUE)) do
    leave_queue(request_of(place))
  end
end

local function line_of(model, pin, allowed) return digest_of(cjson.encode({ model, pin, allowed })) end

-- Returns the class of *request* (what decides which accounts may serve it) as a digest and as JSON, and its line.
local function class_of(request)
  local allowed = request.allowed and {}
  for id in pairs(request.allowed or {}) do allowed[#allowed + 1] = id end
  if allowed then table.sort(allowed) end
  local pin, excluded = pinned_to(request), { unpack(request.tried or {}) }
  table.sort(excluded)
  local text = cjson.encode({ request.model, request.wire, request.kinds or {}, request.ineligible_kinds or {},
    request.unreadable or {}, request.demo or false, request.enforcing_only or false, pin, allowed or false,
    request.unlisted_kinds or {}, excluded })
  return digest_of(text), text, line_of(request.model, pin, allowed or false)
end

-- Decodes what `class_of` encoded into the shape of a request, with the offers that can serve it.
local function read_class(digest)
  local text = redis.call('GET', queue_class_key(digest))
  if not text then return nil end
  local model, wire, kinds, ineligible_kinds, unreadable, demo, enforcing_only, pin, allowed, unlisted_kinds,
    excluded = unpack(cjson.decode(text))
  local class = { model = model, wire = wire, kinds = #kinds > 0 and kinds or nil, ineligible_kinds = ineligible_kinds,
    unlisted_kinds = unlisted_kinds, unreadable = unreadable, demo = demo, enforcing_only = enforcing_only, pin = pin,
    allowed = allowed and set_of(allowed), line = line_of(model, pin, allowed),
    excluded = set_of(excluded or {}) }
  class.offers = offers_for(class)
  return class
end

-- Returns a test whether *id*, which could serve a request of *own_class*, is left to the requests in *ahead*: as many of
-- them could use it as it has free slots, or more.
local function left_to(ahead, own_class, now)
  local counts, classes, compared = {}, {}, 0
  for _, place in ipairs(ahead) do
    local class = string.match(place, '^%d+:(%x+):')
    counts[class] = (counts[class] or 0) + 1
  end
  local function could_use(digest, id, offer)
    if digest == own_class then return true end
    if classes[digest] == nil then classes[digest] = read_class(digest) or false end
    local class = classes[digest]
    if not class then return true end
    return class.offers[offer] and (not class.allowed or class.allowed[id]) and (class.pin == '' or class.pin == id)
      and not ineligible_reason(id, class, class.excluded, true, now)
  end
  return function(id)
    compared = compared + 1
    if compared > MAX_OFFERED then return true end
    local offer, in_flight, cap, probe = unpack(redis.call('HMGET', account_key(id), 'offer', 'in_flight', 'cap', 'probe'))
    local free = (probe and probe ~= '0' and 1 or tonumber(cap)) - (tonumber(in_flight) or 0)
    for class, count in pairs(counts) do
      if could_use(class, id, offer) then
        free = free - count
        if free <= 0 then return true end
      end
    end
    return false
  end
end

local function tokens_of(request)
  local tokens = (request.estimates.input_tokens or 0) + (request.estimates.output_tokens or 0)
  return math.max(tokens, LEAST_TOKENS)
end

-- Returns the places of the requests that wait for an account that could serve *request*, as {place, tag} in their
-- order, and whether its own line has such requests that are not retries.
local function rivals_in_queue(request, own_class, line)
  local waiting, offers, classes = redis.call('ZRANGE', QUEUE, 0, -1, 'WITHSCORES'), offers_for(request), {}
  local rivals, is_active = {}, false
  local function competes(class)
    for offer in pairs(class.offers) do
      if offers[offer] then return true end
    end
    return false
  end
  for i = 1, #waiting, 2 do
    local digest = string.match(waiting[i], '^%d+:(%x+):')
    if classes[digest] == nil then
      local class = digest == own_class and { line = line, offers = offers } or read_class(digest)
      classes[digest] = class and competes(class) and class or false
    end
    if classes[digest] then
      local tag = tonumber(waiting[i + 1])
      rivals[#rivals + 1] = { waiting[i], tag }
      is_active = is_active or classes[digest].line == line and tag ~= RETRY_TAG
    end
  end
  return rivals, is_active
end

-- Returns the turn of a request that has no place yet, and the places before it; nothing if it may ignore the queue.
-- A line in which no request waits begins at the virtual time of the lines that it competes with.
local function new_turn(request, class, line)
  local rivals, is_active = rivals_in_queue(request, class, line)
  if #rivals == 0 and not request.wait then return nil end
  local flow, lowest = request.key .. ':' .. line, 0
  for n = #rivals, 1, -1 do
    if rivals[n][2] ~= RETRY_TAG then lowest = rivals[n][2] end
  end
  local weight = math.max(1, tonumber(redis.call('HGET', api_key_key(request.key), 'weight') or nil) or 1)
  local finish, virtual = unpack(redis.call('HMGET', QUEUE_TAGS, flow, VIRTUAL .. line))
  virtual = tonumber(virtual or nil) or lowest
  if not is_active then virtual = math.max(virtual, lowest) end
  local turn = { flow = flow, line = line, share = tokens_of(request) / weight,
    tag = math.max(tonumber(finish or nil) or 0, virtual) }
  local ahead = {}
  for _, rival in ipairs(rivals) do
    if rival[2] <= turn.tag then ahead[#ahead + 1] = rival[1] end
  end
  return turn, ahead
end

local function forget_tags()
  if redis.call('HLEN', QUEUE_TAGS) < MAX_TAGS then return end
  local arrivals = redis.call('HGET', QUEUE_TAGS, ARRIVALS) or 0
  redis.call('DEL', QUEUE_TAGS)
  redis.call('HSET', QUEUE_TAGS, ARRIVALS, arrivals)
end

local function expire_queue()
  for _, key in ipairs({ QUEUE, QUEUE_UNTIL, QUEUE_PLACES, QUEUE_TAGS }) do redis.call('PEXPIRE', key, TAGS_MS) end
end

-- Returns whether a request may wait if at most *length* may: in a full queue it replaces the last one if it precedes it.
local function makes_room(turn, length)
  local count = redis.call('ZCARD', QUEUE)
  if count < length then return true end
  local last, tag = unpack(redis.call('ZRANGE', QUEUE, -1, -1, 'WITHSCORES'))
  if count > length or not last or tonumber(tag) <= turn.tag then return false end
  leave_queue(request_of(last))
  return true
end

-- Lets a refused request wait, or continue to; adds to its refusal how many wait before it: `queued`. Where as many
-- wait as *request.wait* allows, it adds `queue_full`.
local function wait_for_turn(turn, request, refusal, now)
  local former, arrival = turn.place
  if former then
    arrival = string.match(former, '^(%d+):')
  else
    if not makes_room(turn, request.wait) then
      refusal.queue_full = true
      return
    end
    arrival = string.format('%015.0f', redis.call('HINCRBY', QUEUE_TAGS, ARRIVALS, 1))
    forget_tags()
    if turn.tag ~= RETRY_TAG then redis.call('HSET', QUEUE_TAGS, turn.flow, tag_text(turn.tag + turn.share)) end
  end
  local place = table.concat({ arrival, turn.class, digest_of(turn.flow), request.id }, ':')
  if former and former ~= place then
    redis.call('ZREM', QUEUE, former)
    redis.call('ZREM', QUEUE_UNTIL, former)
  end
  redis.call('ZADD', QUEUE, tag_text(turn.tag), place)
  redis.call('ZADD', QUEUE_UNTIL, now + PLACE_MS, place)
  local facts = turn.facts -- for explanations alone
    or { key = request.key, model = request.model, asked = request.requested, endpoint = request.endpoint, since_ms = now }
  local stored = cjson.encode({ place, turn.flow, tag_text(turn.share), turn.line, facts })
  redis.call('HSET', QUEUE_PLACES, request.id, stored)
  redis.call('SET', queue_class_key(turn.class), turn.class_text, 'PX', TAGS_MS)
  redis.call('HSET', POOL, 'queue', 1)
  expire_queue()
  refusal.queued = redis.call('ZRANK', QUEUE, place)
end

-- Ends the turn of a request that is admitted: virtual time moves on, and its key is charged.
local function end_turn(turn, request)
  if turn.place then
    remove_place(request.id, turn.place)
  else
    forget_tags()
    redis.call('HSET', QUEUE_TAGS, turn.flow, tag_text(turn.tag + turn.share))
  end
  local field = VIRTUAL .. turn.line
  local virtual = tonumber(redis.call('HGET', QUEUE_TAGS, field) or nil)
  if not virtual or turn.tag > virtual then redis.call('HSET', QUEUE_TAGS, field, tag_text(turn.tag)) end
  redis.call('PEXPIRE', QUEUE_TAGS, TAGS_MS)
  has_queue()
end

-- Renews the place of a request, if it has one; returns the place and its stored JSON.
local function renewed_place(id, now)
  local stored = redis.call('HGET', QUEUE_PLACES, id)
  local place = stored and cjson.decode(stored)[1]
  if place then redis.call('ZADD', QUEUE_UNTIL, now + PLACE_MS, place) end
  drop_overdue(now)
  return place, stored
end

-- Returns the places before *place*, the first to be admitted first; nothing if it is lost.
local function places_before(place)
  local rank = redis.call('ZRANK', QUEUE, place)
  if not rank then return nil end
  return rank > 0 and redis.call('ZRANGE', QUEUE, 0, rank - 1) or {}
end

-- Returns the turn of a request: its start tag, what it adds to its flow's tag, and its place if it waits; otherwise
-- *begin* returns that, and the places before it. Accounts that are left to others are removed from its choice. Returns
-- nothing if it may ignore the queue. `wait` and `finish` record what became of the request; they are fields so that
-- calls without a queue do not pay for them.
local function continue_turn(request, now, begin, finish)
  local place, stored = renewed_place(request.id, now)
  if not has_queue() and not request.wait then return nil end
  local class, class_text, line = class_of(request)
  local ahead, turn = place and places_before(place)
  if ahead then
    local _, flow, share, _, facts = unpack(cjson.decode(stored))
    turn = { place = place, flow = flow, line = line, share = tonumber(share), facts = facts,
      tag = tonumber(redis.call('ZSCORE', QUEUE, place)) }
  else
    turn, ahead = begin(request, class, line)
    if not turn then return nil end
  end
  turn.class, turn.class_text, turn.wait, turn.finish = class, class_text, wait_for_turn, finish
  if #ahead > 0 then request.is_left_to_others = left_to(ahead, class, now) end
  return turn
end

-- Returns the turn of a request that is to be admitted.
local function turn_of(request, now) -- rare
  return continue_turn(request, now, new_turn, end_turn)
end

-- Begins the turn of a request whose attempt failed: only requests like it precede it.
local function new_retry_turn(request, _, line)
  return { flow = request.key .. ':' .. line, line = line, share = 0, tag = RETRY_TAG },
    redis.call('ZRANGEBYSCORE', QUEUE, RETRY_TAG, RETRY_TAG)
end

-- Ends the turn of a request that goes on at another account.
local function end_retry(turn, request)
  if turn.place then remove_place(request.id, turn.place) end
  has_queue()
end

-- Returns the turn of a request whose attempt failed, as `turn_of` does.
local function retry_turn_of(request, now) -- rare
  return continue_turn(request, now, new_retry_turn, end_retry)
end

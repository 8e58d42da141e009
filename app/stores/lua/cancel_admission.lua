-- Cancel the admission of a request that was refused because the reply of `admit` was lost.
-- KEYS[1]  root of the pool
-- ARGV     id of the request; what its conversation is stored as, '' for none
-- Returns  'cancelled'; 'corrected' if its lease had expired, so that its bound was charged; '' if it was not admitted,
--          or was settled or cancelled before.
-- Slot and reservations are released, and nothing is charged; a limit on requests has counted it. It has no ledger
-- entry, as it was refused; only the charge of an expired lease is taken back by one, as `corrected`.
-- An admission that arrives later, within CANCELLED_MS, is refused.
local CANCELLED_MS = 60000
local id, conversation = ARGV[1], ARGV[2]
if type(id) ~= 'string' or id == '' or #id > MAX_TEXT then refuse('id') end
if type(conversation) ~= 'string' or #conversation > MAX_TEXT then refuse('conversation') end
local now = clock()
if redis.call('EXISTS', settled_key(id)) == 1 then return '' end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
leave_queue(id)
has_queue()
local stored = read_request(id)
if not stored then
  redis.call('SET', settled_key(id), '', 'PX', CANCELLED_MS)
  return ''
end

local result, entry_id = 'cancelled', ''
if stored.expired then
  local entry = attributed(expired_entry(id, stored))
  settle_holds(cjson.decode(stored.holds), {}, {}, now, true)
  for _, figure in ipairs(CHARGED) do entry[figure] = entry[figure] and -entry[figure] end
  entry.source, entry.status, entry.error = 'corrected', 503, 'store_unavailable'
  result, entry_id = 'corrected', write_entry(entry, '[' .. stored.why .. ']')
else
  if stored.account ~= '' then free_slot(stored.account, policy, now) end
  settle_holds(cjson.decode(stored.holds), {}, {}, now)
end
drop_claim(conversation, stored.key)
redis.call('DEL', request_key(id))
redis.call('ZREM', LEASES, id)
wake_due(now, policy)
redis.call('SET', settled_key(id), entry_id, 'PX', entry_id == '' and CANCELLED_MS or LATE_MS)
return result

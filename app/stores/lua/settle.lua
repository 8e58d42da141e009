-- Settle one request: actual usage replaces the reservation, the lease ends, the ledger entry is written.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, mark, row, calendar, ownership}; row is the ledger entry: {id, at_ms, key, account,
--          model, endpoint, status, source, input_tokens, output_tokens, cost, …}; calendar as for
--          admit; its figures are those of all attempts; an item of row.attempts has those of a failed
--          attempt that may have been billed; the object in ownership, if any, belongs to this account from now on;
--          at_bound: the entry has no figures, so the reserved bounds are charged
-- Returns  the ledger entry's id; '' when this request was settled before; 'late' when it is unknown and so old
--          that it was settled or charged before and forgotten since: nothing is charged.
-- The conversation, if any, belongs to this key for 30 days if the request was answered.
-- A request whose lease expired was charged its bound, as an error; the difference is written as `corrected`.
-- A request whose admission a failover lost is charged as well; its entry is marked `unheld`.
local args, now = cjson.decode(ARGV[1]), clock()
check_by(has_settlement_texts, args, 'id')
args.mark = check_outcome(args.mark)
check_calendar(args.calendar)
check_entry(args.row)
if redis.call('EXISTS', settled_key(args.id)) == 1 then return '' end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
local entry, stored = args.row, read_request(args.id)
if not stored and entry.at_ms < now - LATE_MS then return 'late' end
local calendar, present = args.calendar or {}, nil
entry.day_ms = stored and tonumber(stored.day_ms) or calendar_window('day', entry.at_ms, calendar)
  or entry.at_ms - entry.at_ms % 86400000

if args.at_bound and stored then
  local bound = expired_entry(args.id, stored)
  for _, figure in ipairs(CHARGED) do entry[figure] = bound[figure] end
  entry.charges = bound.charges
end
-- A worker that lost the reply to a report does not know the account that was picked there: its outcome belongs to
-- the last account it tried.
local tried_last = entry.attempts and entry.attempts[#entry.attempts]
local marked = not tried_last or (stored and tried_last.account == stored.account)
local unchanged
if stored and stored.account ~= '' and marked and args.mark then
  unchanged = apply_outcome(stored.account, args.mark, now, policy, stored.key)
end
if stored and stored.expired then
  local charged = expired_entry(args.id, stored)
  settle_holds(cjson.decode(stored.holds), entry, charges_of(stored), now, true)
  for _, figure in ipairs(CHARGED) do
    if entry[figure] or charged[figure] then entry[figure] = (entry[figure] or 0) - (charged[figure] or 0) end
  end
  entry.source, entry.errors = 'corrected', entry.status < 400 and -1 or nil
elseif stored then
  if stored.account ~= '' and free_slot(stored.account, policy, now, unchanged) then present = stored.account end
  settle_holds(cjson.decode(stored.holds), entry, charges_of(stored), now)
elseif entry.source ~= 'cache' then -- a stored response reserves and uses nothing
  charge_unheld(entry, calendar, now)
  entry.unheld = true
end
if stored then entry.team = stored.team end -- its team at admission
if stored and stored.affinity ~= '' then entry.affinity = stored.affinity end
local entry_id = write_entry(entry, stored and '[' .. stored.why .. ']' or '[]', present)
if args.ownership and args.ownership ~= '' and entry.status < 400 and entry.account ~= '' then
  redis.call('SET', owner_key(args.ownership), entry.account, 'PX', OWNED_MS, 'NX')
end
if args.conversation and args.conversation ~= '' then
  local held_key = holder_key(args.conversation)
  local holder = redis.call('GET', held_key)
  if entry.status < 400 and (not holder or holder == entry.key) then
    redis.call('SET', held_key, entry.key, 'PX', OWNED_MS)
  else
    drop_claim(args.conversation, entry.key)
  end
end
redis.call('DEL', request_key(args.id))
redis.call('ZREM', LEASES, args.id)
redis.call('SET', settled_key(args.id), entry_id, 'PX', LATE_MS)
return entry_id

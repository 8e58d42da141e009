-- Settle one request: real usage replaces what was held, its lease ends, the books are written.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {id, mark, row, calendar, ownership}; row is the ledger row: {id, at_ms, key, account,
--          model, endpoint, status, source, input_tokens, output_tokens, cost, …}; calendar as for
--          admit; its figures are those of all attempts, and an entry of row.attempts has its own of one that
--          failed but may have been billed; what ownership names, if anything, belongs to this account from now on;
--          at_bound says that the row has no figures, and those of the bounds that are held are charged
-- Returns  the ledger entry's id; '' when this request was settled before; 'late' when it is not known and so old
--          that it must have been settled, or charged at its bound, and forgotten since: nothing is charged.
-- What conversation names, if anything, belongs to this key for 30 days from now on, if it was answered.
-- A request whose lease expired was charged its bound; the difference is booked as `corrected`.
-- A request that is not known here, because a failover lost its admission, is charged all the
-- same; its row is marked `unheld`.
local ask, now = cjson.decode(ARGV[1]), clock()
if type(ask) ~= 'table' or type(ask.id) ~= 'string' or #ask.id > MAX_TEXT or not may_be(ask.ownership, 'string')
  or not may_be(ask.conversation, 'string') then refuse('id') end
ask.mark = check_mark(ask.mark)
check_calendar(ask.calendar)
check_row(ask.row)
if redis.call('EXISTS', settled_key(ask.id)) == 1 then return '' end
local policy = redis.call('HGET', POOL, 'policy') or 'balanced'
local row, r = ask.row, read_request(ask.id)
if not r and row.at_ms < now - LATE_MS then return 'late' end
local calendar, present = ask.calendar or {}, nil
row.day_ms = r and tonumber(r.day_ms) or calendar_window('day', row.at_ms, calendar) or row.at_ms - row.at_ms % 86400000

if ask.at_bound and r then
  local bound = expired_row(ask.id, r)
  for _, figure in ipairs(CHARGED) do row[figure] = bound[figure] end
  row.charges = bound.charges
end
-- A worker that lost the reply to a report does not know of the account that was chosen there: its mark is of the
-- last account that it tried.
local tried_last = row.attempts and row.attempts[#row.attempts]
local marked = not tried_last or (r and tried_last.account == r.account)
if r and r.account ~= '' and marked and ask.mark then apply_mark(r.account, ask.mark, now, policy) end
if r and r.expired then
  local charged = expired_row(ask.id, r)
  settle_holds(cjson.decode(r.holds), row, charges_of(r), now, true)
  for _, figure in ipairs(CHARGED) do
    if row[figure] or charged[figure] then row[figure] = (row[figure] or 0) - (charged[figure] or 0) end
  end
  row.source = 'corrected'
elseif r then
  if r.account ~= '' and free_slot(r.account, policy, now) then present = r.account end
  settle_holds(cjson.decode(r.holds), row, charges_of(r), now)
elseif row.source ~= 'cache' then -- an answer given again held nothing, and uses nothing
  charge_unheld(row, calendar, now)
  row.unheld = true
end
if r and r.affinity ~= '' then row.affinity = r.affinity end
local entry = book(row, r and '[' .. r.why .. ']' or '[]', present)
if ask.ownership and ask.ownership ~= '' and row.status < 400 and row.account ~= '' then
  redis.call('SET', owner_key(ask.ownership), row.account, 'PX', OWNED_MS, 'NX')
end
if ask.conversation and ask.conversation ~= '' then
  local held = holder_key(ask.conversation)
  local holder = redis.call('GET', held)
  if row.status < 400 and (not holder or holder == row.key) then
    redis.call('SET', held, row.key, 'PX', OWNED_MS)
  elseif holder == row.key and redis.call('PTTL', held) <= CLAIM_MS then
    redis.call('DEL', held) -- a claim of the admission, which no answer has confirmed
  end
end
redis.call('DEL', request_key(ask.id))
redis.call('ZREM', LEASES, ask.id)
redis.call('SET', settled_key(ask.id), entry, 'PX', LATE_MS)
return entry

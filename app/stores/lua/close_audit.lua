-- Close an open audit entry, and write it to the log unless its change was refused.
-- KEYS[1]  root of the system keys
-- ARGV     id of the open entry, its outcome (done | refused | unknown), JSON of the entry
-- Returns  1 closed, 0 when it was already closed: an entry is written once.
local MAX_AMOUNT = 100000
check(ARGV, { [1] = 'text', [2] = 'text', [3] = 'blob' })
if redis.call('HDEL', AUDIT_OPEN, ARGV[1]) == 0 then return 0 end
if ARGV[2] ~= 'refused' then redis.call('XADD', AUDIT, 'MAXLEN', '~', MAX_AMOUNT, '*', 'entry', ARGV[3]) end
return 1

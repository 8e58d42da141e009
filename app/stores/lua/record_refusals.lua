-- Record refused requests: counts by key, code and hour, and the newest ones in full.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {batch, groups: [{key, digest, code, count, out, entries: [JSON text, …]}, …]}; batch is
--          unique; a group has a key id, or the SHA-256 of the secret that was presented
-- Returns  how many refusals were counted: those of known keys; 0 when this batch was recorded before.
-- Nothing is written for callers without a key of this pool.  Invariants: an hour has at most MAX_NAMES
-- fields, then one field for each code more; the pool has at most MAX_ENTRIES refusals in full.
local MAX_ENTRIES = 500
local MAX_NAMES = 2000
local FULL_PER_HOUR = 100 -- refusals per key and code; after that only the newest of each batch is stored in full
local RETAINED_MS = 31 * 86400000
local BATCH_MS = 60000

local args, now = cjson.decode(ARGV[1]), clock()
check(args, { batch = 'text', groups = 'list' })
for _, group in ipairs(args.groups) do
  check(group, { key = 'text', digest = 'text', code = 'text', count = 'count', out = '?flag', entries = 'list' })
  check_each(group.entries, 'blob', 'entries')
end
local known = {}
for _, group in ipairs(args.groups) do
  local id = group.key ~= '' and group.key or redis.call('GET', secret_key(group.digest))
  if id and redis.call('EXISTS', api_key_key(id)) == 1 then known[#known + 1] = { id, group } end
end
if #known == 0 then return 0 end
if not redis.call('SET', refusal_batch_key(args.batch), '1', 'NX', 'PX', BATCH_MS) then return 0 end

local hour, counted = refused_key(now - now % 3600000), 0
for _, match in ipairs(known) do
  local id, group = match[1], match[2]
  local field = id .. '|' .. group.code
  if redis.call('HEXISTS', hour, field) == 0 and redis.call('HLEN', hour) >= MAX_NAMES then field = '*|' .. group.code end
  local total = redis.call('HINCRBY', hour, field, group.count)
  local first = total - group.count < FULL_PER_HOUR and 1 or math.max(1, #group.entries)
  for i = first, #group.entries do
    redis.call('XADD', REFUSALS, 'MAXLEN', MAX_ENTRIES, '*', 'key', id, 'row', group.entries[i],
      'out', group.out and accounts_out() or '[]')
  end
  counted = counted + group.count
end
redis.call('PEXPIRE', hour, RETAINED_MS)
redis.call('PEXPIRE', REFUSALS, RETAINED_MS)
return counted

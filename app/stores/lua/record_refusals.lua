-- Record refused requests: counts by key, code and hour, and the newest ones in full.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {writer, number, groups: [{key, digest, code, count, age_ms, latest: [[age_ms, count], …], out,
--          entries: [JSON text, …]}, …]}; a writer numbers its batches from 1; a group has a
--          key id, or the SHA-256 of the secret that was presented; age_ms is the time since its first refusal, and
--          in `latest` since a second began in which that many of the group were refused
-- Returns  1 if the batch is recorded, now or before; 0 if it has no refusals of keys of this pool.
-- Nothing is written for callers without a key of this pool. A batch is recorded once, in whatever order a writer
-- repeats its newest MAX_BATCHES: those that a failover of Redis lost come after newer ones.  Invariants: an hour has
-- at most MAX_NAMES fields, then one field for each code more; the pool has at most MAX_ENTRIES refusals in full.
local MAX_ENTRIES = 500
local MAX_NAMES = 2000
local FULL_PER_HOUR = 100 -- refusals per key and code; after that only the newest of each batch is stored in full
local RETAINED_MS = 31 * 86400000
local MAX_BATCHES = 100 -- of a writer whose numbers are known; it writes one in a second, and repeats those of seconds
local WRITER_MS = 2 * 86400000 -- an unconfirmed batch is repeated for longer only if Redis is away for as long
local LATEST_MS = 60000 -- what is counted for the present load

local args, now = cjson.decode(ARGV[1]), clock()
check(args, { writer = 'text', number = 'count', groups = 'list' })
for _, group in ipairs(args.groups) do
  check(group, { key = 'text', digest = 'text', code = 'text', count = 'count', age_ms = 'count', out = '?flag' })
  check(group, { entries = 'list' })
  check_each(group.entries, 'blob', 'entries')
  for _, second in ipairs(check(group, { latest = 'list' }).latest) do
    if type(second) ~= 'table' or not (is_count(second[1]) and is_count(second[2])) then refuse('latest') end
  end
end
local known = {}
for _, group in ipairs(args.groups) do
  local id = group.key ~= '' and group.key or redis.call('GET', secret_key(group.digest))
  if id and redis.call('EXISTS', api_key_key(id)) == 1 then known[#known + 1] = { id, group } end
end
if #known == 0 then return 0 end
local batches, number = refusal_batches_key(args.writer), string.format('%.0f', args.number)
if redis.call('ZCARD', batches) >= MAX_BATCHES and args.number < tonumber(redis.call('ZRANGE', batches, 0, 0)[1]) then
  return 1
end
if redis.call('ZADD', batches, 'NX', number, number) == 0 then return 1 end
redis.call('ZREMRANGEBYRANK', batches, 0, -(MAX_BATCHES + 1))
redis.call('PEXPIRE', batches, WRITER_MS)

local latest = {} -- latest: age -> {code -> count}
for _, match in ipairs(known) do
  local id, group = match[1], match[2]
  local first_ms = math.max(0, now - group.age_ms)
  local hour, field = refused_key(first_ms - first_ms % 3600000), id .. '|' .. group.code
  if redis.call('HEXISTS', hour, field) == 0 and redis.call('HLEN', hour) >= MAX_NAMES then field = '*|' .. group.code end
  local total = redis.call('HINCRBY', hour, field, group.count)
  local first = total - group.count < FULL_PER_HOUR and 1 or math.max(1, #group.entries)
  for i = first, #group.entries do
    redis.call('XADD', REFUSALS, 'MAXLEN', MAX_ENTRIES, '*', 'key', id, 'row', group.entries[i],
      'out', group.out and accounts_out() or '[]')
  end
  redis.call('PEXPIRE', hour, RETAINED_MS)
  for _, second in ipairs(group.latest) do
    local age_ms, count = second[1], second[2]
    if age_ms < LATEST_MS then
      latest[age_ms] = latest[age_ms] or {}
      latest[age_ms][group.code] = (latest[age_ms][group.code] or 0) + count
    end
  end
end
redis.call('PEXPIRE', REFUSALS, RETAINED_MS)
for age_ms, by_code in pairs(latest) do
  local fields = {}
  for code, count in pairs(by_code) do
    fields[#fields + 1], fields[#fields + 2] = string.format('%s|%.0f', code, now - age_ms), string.format('%.0f', count)
  end
  redis.call('XADD', LATEST_REFUSALS, 'MINID', string.format('%.0f', now - LATEST_MS), '*', unpack(fields))
end
redis.call('PEXPIRE', LATEST_REFUSALS, LATEST_MS)
return 1

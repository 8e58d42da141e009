-- Store the summary of an hour or a day, unless entries have been added since it was begun.
-- KEYS[1]  root of the pool
-- ARGV     h | d, start (seconds), the token that was written when it was begun, JSON {by: text}
-- Returns  1 stored, 0 not.
local RETAINED_MS = { h = 32 * 86400000, d = 800 * 86400000 } -- how far back summaries are prepared
local texts = cjson.decode(ARGV[4])
if not RETAINED_MS[ARGV[1]] then refuse('span') end
check(texts, {})
check_each(texts, 'blob', 'summaries')
local key = summary_key(ARGV[1], number_argument(ARGV[2], 'start') * 1000)
if redis.call('HGET', key, 'begun') ~= ARGV[3] then return 0 end
for by, text in pairs(texts) do redis.call('HSET', key, by, text) end
redis.call('HDEL', key, 'begun')
redis.call('PEXPIRE', key, RETAINED_MS[ARGV[1]])
return 1

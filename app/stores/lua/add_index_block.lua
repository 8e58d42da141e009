-- Add a block to the index of the ledger, if it follows the newest one.
-- KEYS[1]  root of the pool
-- ARGV[1]  JSON {block, first, last, count, after, restored}: the name under which its hash is stored, the ids of its
--          first and last entry, the number of its entries, the last id of the block before it ('' for none), and
--          by which restore run the pool was replaced when the entries were read ('' for none)
-- Returns  1 added; 0 not: another worker has added it, the pool was restored, or the hash has expired.
-- Invariant: the blocks of the list follow each other without a gap, the oldest first.
local args = cjson.decode(ARGV[1])
check(args, { block = 'text', first = 'text', last = 'text', count = 'count', after = 'text', restored = 'text' })
local newest = redis.call('LINDEX', LEDGER_INDEX, -1)
if args.after ~= (newest and string.match(newest, '^%S+ (%S+)') or '') then return 0 end
if (redis.call('HGET', POOL, 'restored_by') or '') ~= args.restored then return 0 end
if redis.call('PERSIST', index_block_key(args.block)) == 0 then return 0 end
redis.call('RPUSH', LEDGER_INDEX, string.format('%s %s %.0f %s', args.first, args.last, args.count, args.block))
return 1

-- Read an admin token that is being used.
-- KEYS[1]  root of the system keys
-- ARGV     SHA-256 of its secret (hex), fingerprint of the current rules
-- Returns  {field, value, …} of the token, `role`: that of its operator, `owner` without one, and `stale` if other rules
--          assigned the role; empty when there is no such token or its operator is suspended. If its operator was
--          removed, even if another one has the same name by now, the token is removed as well.
-- A token of an earlier version has no `operator`: the caller determines it. Its last use is stored once a minute.
local USED_MS = 60000
local digest = ARGV[1]
local flat = redis.call('HGETALL', token_key(digest))
if #flat == 0 then return {} end
local values = redis.call('HMGET', token_key(digest), 'operator', 'created_ms', 'name')
if values[1] and values[1] ~= '' then
  local since = redis.call('HGET', operator_key(values[1]), 'created_ms')
  if not since or tonumber(since) > tonumber(values[2]) then
    remove_token(values[3], digest)
    return {}
  end
  if is_suspended(values[1]) then return {} end
  if is_stale(values[1], ARGV[2]) then with_field(flat, 'stale', '1') end
end
local now = clock()
if now - (tonumber(redis.call('HGET', token_key(digest), 'used_ms') or nil) or 0) >= USED_MS then
  redis.pcall('HSET', token_key(digest), 'used_ms', now) -- a full store can still be read
end
return with_field(flat, 'role', role_of(values[1] or ''))

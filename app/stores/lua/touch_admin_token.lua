-- Look an admin token up because it is being used.
-- KEYS[1]  root of the office
-- ARGV     SHA-256 of its secret (hex)
-- Returns  {field, value, …} of it; empty when there is none, or the operator it ends with is not there, or is
--          another one of the same name, made later: then it is removed.
-- A token of a former version has no `operator`: the caller finds out whose it is.
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
end
return flat

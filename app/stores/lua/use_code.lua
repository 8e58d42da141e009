-- Use a one-time code, or a recovery code, of an operator's second factor.
-- KEYS[1]  root of the system keys
-- ARGV     name, time step of the code or '' , SHA-256 (hex) of a recovery code or ''
-- Returns  1 accepted, 0 when it, or a later one, was used before.
local key, step, recovery = operator_key(ARGV[1]), ARGV[2], ARGV[3]
if step ~= '' then
  if tonumber(redis.call('HGET', key, 'totp_step') or '-1') >= tonumber(step) then return 0 end
  redis.call('HSET', key, 'totp_step', step)
  return 1
end
local remaining, matched = {}, 0
for digest in string.gmatch(redis.call('HGET', key, 'recovery') or '', '%x+') do
  if digest == recovery then matched = 1 else remaining[#remaining + 1] = digest end
end
if matched == 1 then redis.call('HSET', key, 'recovery', table.concat(remaining, ' ')) end
return matched

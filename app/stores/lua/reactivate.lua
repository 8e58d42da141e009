-- Ends whatever an account is out for: it is as good as new.
local function bring_back(a, policy, now)
  redis.call('ZREM', OUT, a.id)
  redis.call('SREM', SOFT, a.id)
  redis.call('HSET', account_key(a.id), 'errors', 0, 'probe', '0')
  set_state(a, 'active', '', 0, now)
  rejoin(read_account(a.id, now), policy)
end

-- Makes an account active again, whatever its state was.
local function reactivate(account, policy, now)
  redis.call('ZREM', OUT, account.id)
  redis.call('SREM', SOFT, account.id)
  redis.call('HSET', account_key(account.id), 'errors', 0, 'probe', '0')
  set_state(account, 'active', '', 0, now)
  rejoin(read_account(account.id, now), policy)
end

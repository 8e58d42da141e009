-- Attempts: how often each account was tried, how it failed, and how often another account answered instead.
--
-- A roll-up counts a request once, at the account that was tried last. Where accounts were tried before,
-- it also has, for each account: extra_attempts (attempts less requests counted there), failed_attempts,
-- rescues (failed attempts after which another account answered with the same model) and failed:<failure>.
-- A fallback model has an entry of its own, perhaps of another hour, so what it answers is no rescue.
-- The fields attempts, failed_attempts, rescues and failed:<failure> of an account are its totals.
-- A failure caused by the request itself counts as failed:<failure> but not as a failed attempt, unless another
-- account then answered the same request: then the request was not the cause.
-- While an account only fails it also has: streak, the number of newest attempts that failed in a row without a
-- fault of their requests, and streak_of, the newest failure. They are valid while attempts less unanswered (all
-- failures) equals streak_ok, its value at the last failure: so a success costs no write.
-- An entry whose attempts are in the roll-ups is marked `attempts_counted`. See app/ledger/attempts.py.

local function check_attempts(attempts)
  for _, attempt in ipairs(attempts or {}) do
    local failure = type(attempt) == 'table' and attempt.failure
    if type(attempt) ~= 'table' or type(attempt.account) ~= 'string' or failure and type(failure) ~= 'string' then
      refuse('attempts')
    end
    local status, code = attempt.upstream_status, attempt.upstream_code
    if status ~= nil and type(status) ~= 'number' or code ~= nil and type(code) ~= 'string' then refuse('attempts') end
  end
end

-- Returns {account id -> {figure -> amount}}, `attempts` included, of a ledger entry.
local function attempts_by_account(entry)
  local by_account, attempts = {}, entry.attempts or {}
  local last = attempts[#attempts]
  local answered = last and not last.failure and entry.status < 400
  for _, attempt in ipairs(attempts) do
    local figures = by_account[attempt.account] or { attempts = 0 }
    by_account[attempt.account] = figures
    figures.attempts = figures.attempts + 1
    if attempt.failure then
      local failed = 'failed:' .. attempt.failure
      figures[failed] = (figures[failed] or 0) + 1
    end
    local rescued = attempt.failure and answered and attempt.account ~= last.account
    if rescued or attempt.failure and attempt.scope ~= 'request' then
      figures.failed_attempts = (figures.failed_attempts or 0) + 1
      if rescued then figures.rescues = (figures.rescues or 0) + 1 end
    end
  end
  return by_account
end

-- Adds the attempts of an entry to the totals of their accounts. *present* is an account known to exist.
local function count_attempts(by_account, present)
  for id, figures in pairs(by_account) do
    if id == present or redis.call('EXISTS', account_key(id)) == 1 then
      for figure, amount in pairs(figures) do redis.call('HINCRBY', account_key(id), figure, amount) end
    end
  end
end

-- Counts consecutive failures of an entry with failed attempts; runs after count_attempts.
local function count_streaks(entry)
  local by_account, last = {}, entry.attempts[#entry.attempts]
  for _, attempt in ipairs(entry.attempts) do
    local figures = by_account[attempt.account] or { failed = 0, streak = 0 }
    by_account[attempt.account] = figures
    if not attempt.failure then
      figures.answered = true
    else
      local rescued = not last.failure and entry.status < 400 and attempt.account ~= last.account
      figures.failed = figures.failed + 1
      if rescued or attempt.scope ~= 'request' or attempt.failure == 'endpoint_missing' then
        figures.streak, figures.reason = figures.streak + 1, attempt.failure
      end
    end
  end
  for id, figures in pairs(by_account) do
    local key = account_key(id)
    if figures.failed > 0 and redis.call('EXISTS', key) == 1 then
      local unanswered = redis.call('HINCRBY', key, 'unanswered', figures.failed)
      local values = redis.call('HMGET', key, 'attempts', 'streak', 'streak_ok')
      local ok = (tonumber(values[1]) or 0) - unanswered
      if figures.streak > 0 and not figures.answered then
        local streak = tonumber(values[3]) == ok and tonumber(values[2]) or 0
        redis.call('HSET', key, 'streak', streak + figures.streak, 'streak_ok', ok, 'streak_of', figures.reason)
      end
    end
  end
end

-- Returns whether an entry has a single, successful attempt at its account: that is counted as a request.
local function is_plain(entry)
  local attempts = entry.attempts or {}
  return #attempts == 0 or #attempts == 1 and not attempts[1].failure and attempts[1].account == entry.account
end

-- Adds the attempts that are not counted as requests to one roll-up.
local function add_attempts_to_rollup(key, entry, by_account)
  for id, figures in pairs(by_account) do
    local prefix = entry.key .. '|' .. id .. '|' .. (entry.counted_as or entry.model) .. '|'
    local extra = figures.attempts - (id == entry.account and 1 or 0)
    if extra ~= 0 then redis.call('HINCRBY', key, prefix .. 'extra_attempts', extra) end
    for figure, amount in pairs(figures) do
      if figure ~= 'attempts' then redis.call('HINCRBY', key, prefix .. figure, amount) end
    end
  end
end

-- Routing policies: pure functions of one account's numbers. The lowest score is chosen.
--
-- account.pass is the virtual time of the account: each pick advances it by 1 / weight, and the account whose time
-- would be lowest afterwards is picked next. The current weight decides the cost of a pick, so an account that was
-- nearly spent has its full share again as soon as it is not. account.spare is the unspent part of its tightest usage
-- window, 0..1 (1: no window), account.reset_ms the end of the window that ends first.

local MIN_SPARE = 0.02 -- a nearly spent account still gets a fiftieth of its share

local function effective_weight(policy, account)
  if policy == 'balanced' or policy == 'ordered' then
    return account.weight * math.max(MIN_SPARE, account.spare)
  end
  return account.weight
end

local SCORES = {
  balanced = function(account, weight) return account.pass + (1 + account.in_flight) / weight end,
  round_robin = function(account, weight) return account.pass + 1 / weight end,
  least_loaded = function(account, weight) return account.in_flight / weight * 1e9 + account.pass + 1 / weight end,
  ordered = function(account, weight) return account.group * 1e12 + account.pass + (1 + account.in_flight) / weight end,
  use_before_reset = function(account, _)
    local reset_ms = account.reset_ms > 0 and account.reset_ms or 1e14 -- no window: no unused quota is lost
    if account.spare <= 0 then reset_ms = 2e14 end
    return reset_ms + account.pass % 1000
  end,
}

local AHEAD, GROUP = 1e11, 1e12
local COMES_LAST = 1e15 -- beyond the scores of all other accounts, also of the last group

-- An account that is being tested goes first in its group, so that the next request tests it. An account that has
-- never answered and has failed, or has not answered since it failed the test of an operator, comes after all others.
local function score(policy, account)
  if account.unproven then
    return COMES_LAST + (SCORES[policy] or SCORES.balanced)(account, effective_weight(policy, account))
  end
  if account.probe then return (policy == 'ordered' and account.group * GROUP or 0) - AHEAD end
  return (SCORES[policy] or SCORES.balanced)(account, effective_weight(policy, account))
end

-- Returns whether a score is that of an account that is being tested.
local function is_test(account_score) return (account_score + AHEAD) % GROUP == 0 end

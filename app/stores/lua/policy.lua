-- Routing policies: pure functions of one account's numbers. The lowest score is chosen.
--
-- a.pass is the account's virtual time: each pick moves it on by 1 / weight, so that whoever
-- has had the least for its weight is next. a.spare is the unspent part of its tightest
-- usage window, 0..1 (1 where it has none), a.reset_ms that window's end.

local LEAST_SPARE = 0.02 -- a nearly spent account still gets a fiftieth of its share

local function effective_weight(policy, a)
  if policy == 'balanced' or policy == 'ordered' then
    return a.weight * math.max(LEAST_SPARE, a.spare)
  end
  return a.weight
end

local SCORES = {
  balanced = function(a, weight) return a.pass + a.in_flight / weight end,
  round_robin = function(a, _) return a.pass end,
  least_loaded = function(a, weight) return a.in_flight / weight * 1e9 + a.pass end,
  ordered = function(a, weight) return a.group * 1e12 + a.pass + a.in_flight / weight end,
  use_before_reset = function(a, _)
    local reset_ms = a.reset_ms > 0 and a.reset_ms or 1e14 -- no window: nothing that would go to waste
    if a.spare <= 0 then reset_ms = 2e14 end
    return reset_ms + a.pass % 1000
  end,
}

-- An account that is being tested goes first in its group: the next request tells whether it is well.
local function score(policy, a)
  if a.probe then return (policy == 'ordered' and a.group * 1e12 or 0) - 1e11 end
  return (SCORES[policy] or SCORES.balanced)(a, effective_weight(policy, a))
end

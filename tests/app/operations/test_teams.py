"""Changes of teams, with their audit entries."""

from __future__ import annotations

import pytest

from app.accounts.account import Account
from app.errors import InvalidRequest, NotFound
from app.limits.limit_syntax import format_limit, parse_limit

POOL = "team"


def test_teams(operations, audited):
    operations.teams.create(
        POOL, {"name": "red", "limits": ["5 usd/month"], "key_limits": ["9 requests/day"]}
    )
    operations.teams.change(POOL, "red", {"key_limits": ["10 requests/day"]})
    key, _ = operations.api_keys.create(POOL, {"name": "ann", "team": "red"})
    own, _ = operations.api_keys.create(POOL, {"name": "bob", "team": "red", "limits": ["1 usd/day"]})
    added = operations.limits.add(POOL, parse_limit("10 requests/day"), team="red")
    operations.limits.remove(POOL, added.id, team="red")
    operations.teams.disable(POOL, "red")
    operations.teams.enable(POOL, "red")
    with pytest.raises(InvalidRequest, match="has 2 keys"):
        operations.teams.remove(POOL, "red")
    for name in ("ann", "bob"):
        operations.api_keys.change(POOL, name, {"team": None})
    operations.teams.remove(POOL, "red")

    assert [format_limit(limit) for limit in key.limits] == ["10 requests/day"]
    assert [format_limit(limit) for limit in own.limits] == ["1 usd/day"]
    actions = [action for action, *_ in audited() if action.startswith(("team.", "limit."))]
    assert actions == [
        *("team.create", "team.change", "limit.add", "limit.remove", "team.disable", "team.enable"),
        "team.remove",
    ]


def test_limits_that_refuse_models_without_a_price(operations, services):
    """Those that the team shares, and those that its new keys get."""
    services.accounts.add(POOL, Account("", "gpu1", "compatible", "http://127.0.0.1:9", models=("llama-4",)))
    red = operations.teams.create(
        POOL, {"name": "red", "limits": ["50 usd/month"], "key_limits": ["5 usd/day"]}
    )
    blue = operations.teams.create(POOL, {"name": "blue", "limits": ["50 usd/month balanced"]})

    refused = "refuses every request for llama-4 (429), which has no price: set a price, or make it balanced"
    limits = ("$50.00 per month", "$5.00 per day")
    assert operations.teams.find_warnings(POOL, red) == [
        f"the strict limit {limit} {refused}" for limit in limits
    ]
    assert operations.teams.find_warnings(POOL, blue) == []


def test_key_of_an_unknown_team(operations):
    with pytest.raises(NotFound) as error:
        operations.api_keys.create(POOL, {"name": "ann", "team": "red"})
    assert error.value.param == "team"

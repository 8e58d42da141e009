"""Changes of teams, with their audit entries."""

from __future__ import annotations

import pytest

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


def test_key_of_an_unknown_team(operations):
    with pytest.raises(NotFound) as error:
        operations.api_keys.create(POOL, {"name": "ann", "team": "red"})
    assert error.value.param == "team"

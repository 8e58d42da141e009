"""Changes of limits."""

from __future__ import annotations

import pytest

from app.errors import InvalidRequest
from app.limits.limit_syntax import parse_limit

POOL = "team"


@pytest.mark.parametrize("key", [None, "ann"])
def test_limits(operations, services, audited, key):
    """Of a key, or of the pool."""
    operations.api_keys.create(POOL, {"name": "ann"})
    added = operations.limits.add(POOL, parse_limit("10 requests/day"), key)
    operations.limits.change(POOL, added.id, parse_limit("20 requests/day balanced"), key)
    with pytest.raises(InvalidRequest):
        operations.limits.change(POOL, added.id, parse_limit("20 requests/hour"), key)
    operations.limits.remove(POOL, added.id, key)

    entries = audited()[2:]
    assert [one[:2] for one in entries] == [
        (f"limit.{verb}", key or POOL) for verb in ("add", "change", "remove")
    ]
    assert entries[1][2:] == ({"limit": "10 requests/day"}, {"limit": "20 requests/day balanced"})


def test_an_equal_limit(operations, services, audited):
    """It is not added again; a limit with another amount, mode or model is."""
    operations.api_keys.create(POOL, {"name": "ann"})
    first = operations.limits.add(POOL, parse_limit("10 requests/day"), "ann")

    assert operations.limits.add(POOL, parse_limit("10 requests/day"), "ann").id == first.id
    for other in ("11 requests/day", "10 requests/day balanced", "10 requests/day for m"):
        assert operations.limits.add(POOL, parse_limit(other), "ann").id != first.id

    assert len(services.limits.all(POOL, services.api_keys.find(POOL, "ann").id)) == 4
    assert [one[0] for one in audited()].count("limit.add") == 4

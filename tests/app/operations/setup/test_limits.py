"""The change from one list of limits to another leaves no moment without limits."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits.limit_syntax import format_limit, parse_limit
from app.operations.setup.limits import limit_changes
from app.stores.records.limits import Limit
from schemas.bounds import MAX_LIMITS


class Stored:
    """The limits of a pool, and how few and how many there were at any moment."""

    def __init__(self, limits: list[Limit]) -> None:
        self.limits = {limit.id: limit for limit in limits}
        self.lengths = [len(limits)]

    def add(self, pool: str, limit: Limit, key: str | None, *, team: str | None) -> None:
        self.limits[limit.id] = limit
        self.lengths.append(len(self.limits))

    def change(self, pool: str, limit_id: str, limit: Limit, key: str | None, *, team: str | None) -> None:
        self.limits[limit_id] = limit

    def remove(self, pool: str, limit_id: str, key: str | None, *, team: str | None) -> None:
        del self.limits[limit_id]
        self.lengths.append(len(self.limits))


def limits(unit: str, number: int) -> list[Limit]:
    return [parse_limit(f"{at + 1} {unit}/day for m{at}") for at in range(number)]


@pytest.mark.parametrize(("before", "after"), [(1, 1), (3, 2), (MAX_LIMITS, MAX_LIMITS), (MAX_LIMITS, 1)])
def test_others_are_added_before_any_is_removed(before: int, after: int) -> None:
    """As far as the list may be that long."""
    stored, given = Stored(limits("requests", before)), limits("input_tokens", after)
    operations: Any = stored

    limit_changes(list(stored.limits.values()), given).apply(operations, "p")

    assert sorted(map(format_limit, stored.limits.values())) == sorted(map(format_limit, given))
    assert max(stored.lengths) == min(before + after, MAX_LIMITS)
    assert min(stored.lengths) >= min(before, after, MAX_LIMITS - 1)

"""Tables by pool are read once per version, and the number that a process retains is bounded."""

from __future__ import annotations

import pytest

from app.stores import pool_tables
from app.stores.pool_tables import PoolTables


class Tables(PoolTables[str]):
    """Tables that are their pool and version; `reads` has the pools that were read."""

    def __init__(self) -> None:
        super().__init__("unset")
        self.version = "1"
        self.reads: list[str] = []

    def _read(self, pool: str) -> tuple[str, str]:
        self.reads.append(pool)
        return self.version, f"{pool} {self.version}"


@pytest.fixture
def tables() -> Tables:
    return Tables()


def test_of_a_pool_that_has_set_none(tables: Tables) -> None:
    assert (tables.table("a", "0"), tables.reads) == ("unset", [])


def test_read_once_per_version(tables: Tables) -> None:
    """An older version than the known one is answered with that: the key was read before the change."""
    assert [tables.table("a", "1") for _ in range(2)] == ["a 1", "a 1"]
    tables.version = "10"
    assert [tables.table("a", version) for version in ("2", "9", "10", "1")] == ["a 10"] * 4

    assert tables.reads == ["a", "a"]


def test_the_current_one_is_always_read(tables: Tables) -> None:
    assert [tables.current("a") for _ in range(2)] == ["a 1", "a 1"]
    assert tables.reads == ["a", "a"]


def test_many_pools(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_tables, "MAX_POOLS", 2)
    for pool in "abca":
        assert tables.table(pool, "1") == f"{pool} 1"

    assert tables.reads == ["a", "b", "c", "a"]

"""Totals that a process remembers, up to a size."""

from __future__ import annotations

import pytest

from app.ledger import known_totals
from app.ledger.known_totals import KnownTotals


def test_by_what_was_added_up() -> None:
    totals = KnownTotals()

    totals.put(("default", (1, "token")), "{}")

    assert totals.find(("default", (1, "token"))) == "{}"
    assert totals.find(("default", (1, "another"))) is None


def test_those_not_used_for_the_longest_time_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_totals, "MAX_CHARS", 20)
    totals = KnownTotals()
    for name in ("a", "b", "c", "c"):
        totals.put(name, "0123456789")
        totals.find("a")

    assert [name for name in ("a", "b", "c") if totals.find(name)] == ["a", "c"]
    totals.put("large", "0" * 21)
    assert totals.find("large") is None

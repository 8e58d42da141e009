"""Ledger entries: their typed fields, and the figures that the scripts add up."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from app.stores.records.ledger import (
    ATTEMPT_FIGURES,
    CHARGED,
    FALLBACK_FIGURES,
    FIGURES,
    UNREPORTED,
    AttemptEntry,
    LedgerEntry,
    StoredEntry,
    UsageSource,
    position_of,
)


def lua(script: str) -> str:
    return (resources.files("app.stores") / "lua" / f"{script}.lua").read_text()


def list_in(script: str, name: str) -> list[str]:
    """Return the texts of the Lua list *name*."""
    match = re.search(rf"local {name} = \{{([^}}]*)\}}", lua(script))
    assert match
    return re.findall(r"'(\w+)'", match[1])


class TestScripts:
    def test_figures(self) -> None:
        assert list_in("requests", "FIGURES") == [*FIGURES, *UNREPORTED, *FALLBACK_FIGURES]

    def test_charged_figures(self) -> None:
        assert set(list_in("requests", "CHARGED")) == {*CHARGED, *UNREPORTED, "ceiling_cost"}

    def test_attempt_figures(self) -> None:
        for name in ATTEMPT_FIGURES:
            assert f"'{name}'" in lua("attempts") or f".{name}" in lua("attempts")

    def test_sources(self) -> None:
        """The scripts write or compare these sources; the others come from the relay."""
        text = lua("settle") + lua("requests")
        for source in (UsageSource.CORRECTED, UsageSource.CACHE, UsageSource.ESTIMATED):
            assert f"'{source}'" in text


class TestEntry:
    def test_fields(self) -> None:
        row = '{"id": "r", "key": "k", "account": "a", "model": "m", "status": 200, "at_ms": 1500}'

        entry = LedgerEntry.parse(StoredEntry("2500-3", row, "[]"))

        assert (entry.request_id, entry.key_id, entry.account_id) == ("r", "k", "a")
        assert (entry.model, entry.status, entry.is_refused) == ("m", 200, False)
        assert (entry.started_at, entry.ended_at, entry.position) == (1.5, 2.5, (2500, 3))
        assert entry.attempts == []

    @pytest.mark.parametrize(
        ("row", "ended_at"),
        [
            ({"at_ms": 1500, "total_ms": 700}, 2.2),
            ({"at_ms": 1500, "total_ms": 700, "queued_ms": 300}, 1.9),
            ({"at_ms": 1500, "total_ms": 90_000}, 9.0),
            ({"at_ms": 1500}, 9.0),
        ],
    )
    def test_it_ended_before_it_was_recorded(self, row: dict[str, int], ended_at: float) -> None:
        """Its time counts from its arrival; an entry without one is that of a worker that died."""
        assert LedgerEntry("9000-0", row).ended_at == pytest.approx(ended_at)

    def test_start(self) -> None:
        """The arrival, also of a request that waited until it was admitted."""
        row = '{"id": "r", "at_ms": 5000, "queued_ms": 3500}'

        assert LedgerEntry.parse(StoredEntry("9000-0", row, "[]")).started_at == 1.5

    def test_order(self) -> None:
        """Numbers are compared, not texts."""
        assert position_of("10-2") < position_of("10-10") < position_of("11-0")


class TestAttempt:
    def test_failure_of_the_account(self) -> None:
        attempt = AttemptEntry.from_json({"account": "a", "failure": "overloaded", "scope": "model"})

        assert attempt.is_failure_of_account

    def test_failure_of_the_request(self) -> None:
        attempt = AttemptEntry.from_json({"account": "a", "failure": "caller", "scope": "request"})

        assert not attempt.is_failure_of_account

    def test_success(self) -> None:
        assert not AttemptEntry.from_json({"account": "a"}).is_failure_of_account

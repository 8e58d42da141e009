from __future__ import annotations

from app.presentation.recent import MAX_ENTRIES, MINUTES, summarize_recent
from app.stores.records.ledger import LedgerEntry

NOW = 1_000_000.0


def entry(ago: float, status: int = 200, **row: object) -> LedgerEntry:
    ended_ms = int((NOW - ago) * 1000)
    return LedgerEntry(f"{ended_ms}-0", {"status": status, "at_ms": ended_ms, **row})


def test_the_last_minutes() -> None:
    entries = [entry(3600), entry(600, 503), *(entry(60, first_ms=n, total_ms=10 * n) for n in range(1, 20))]

    recent = summarize_recent(entries, NOW)
    assert (recent.number, recent.errors, recent.error_percent) == (20, 1, 5)
    assert (recent.first(50), recent.first(95), recent.total(95)) == (10, 19, 190)
    assert recent.per_minute == 20 / MINUTES


def test_refused_requests_do_not_count() -> None:
    assert summarize_recent([entry(60, 429, refused=True)], NOW).number == 0


def test_a_correction_is_no_request() -> None:
    """The entry of the expired lease counts it, as an error unless it was answered."""
    expired, failed = entry(60, 599, error="lease_expired"), entry(50, 499, source="corrected")
    answered = entry(50, source="corrected", errors=-1)

    found = [summarize_recent([expired, late], NOW) for late in (failed, answered)]

    assert [(recent.number, recent.errors) for recent in found] == [(1, 1), (1, 0)]


def test_a_failure_after_which_another_model_answered_is_no_error() -> None:
    entries = [entry(61, 502), entry(60, 502, fallbacks=1), entry(59, fallbacks=1), entry(58)]

    recent = summarize_recent(entries, NOW)

    assert (recent.number, recent.errors) == (2, 0)


def test_a_busy_pool() -> None:
    """The rate is that of the time that the newest entries took."""
    entries = [entry((MAX_ENTRIES - n) / 10) for n in range(MAX_ENTRIES)]

    assert summarize_recent(entries, NOW).per_minute == 600


def test_none() -> None:
    recent = summarize_recent([], NOW)

    assert (recent.per_minute, recent.error_percent, recent.first(50), recent.total(95)) == (
        0,
        None,
        None,
        None,
    )

"""Figures of the newest requests of a pool: rate, errors and times. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.ledger.caller_figures import errors_of_callers, requests_of_callers
from app.stores.records.ledger import LedgerEntry

MINUTES = 15
MAX_ENTRIES = 500  # on a busy pool these cover less time


@dataclass(frozen=True, slots=True)
class RecentRequests:
    """
    Requests of the last `seconds`, each once, whichever models it was tried at.

    Times are in ms, of answered requests, None if there are none.
    """

    number: int
    errors: int
    seconds: float
    first_ms: Sequence[int] = ()  # sorted
    total_ms: Sequence[int] = ()  # sorted

    @property
    def per_minute(self) -> float:
        return 60 * self.number / self.seconds if self.seconds else 0.0

    @property
    def error_percent(self) -> float | None:
        return 100 * self.errors / self.number if self.number else None

    def first(self, percent: float) -> int | None:
        """Return the time to the first token that *percent* of requests did not exceed."""
        return _percentile(self.first_ms, percent)

    def total(self, percent: float) -> int | None:
        """Return the total time that *percent* of requests did not exceed."""
        return _percentile(self.total_ms, percent)


def summarize_recent(entries: Sequence[LedgerEntry], now: float) -> RecentRequests:
    """Return the figures of the newest MAX_ENTRIES *entries* (oldest first) of the last MINUTES."""
    since = now - 60 * MINUTES
    ended = [entry for entry in entries if entry.ended_at >= since and not entry.is_refused]
    newest = [entry for entry in ended if not entry.is_correction]
    if len(entries) >= MAX_ENTRIES and newest:
        since = newest[0].ended_at
    answered = [entry for entry in newest if entry.status < 400]
    fallbacks = sum(bool(entry.row.get("fallbacks")) for entry in newest)
    figures = {
        "requests": len(newest),
        "errors": sum(entry.errors for entry in ended),
        "fallbacks": fallbacks,
    }
    return RecentRequests(
        number=requests_of_callers(figures),
        errors=errors_of_callers(figures),
        seconds=max(now - since, 1.0),
        first_ms=_sorted(entry.row.get("first_ms") for entry in answered),
        total_ms=_sorted(entry.row.get("total_ms") for entry in answered),
    )


def _sorted(values: Iterable[int | None]) -> list[int]:
    return sorted(value for value in values if value)


def _percentile(values: Sequence[int], percent: float) -> int | None:
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)] if values else None

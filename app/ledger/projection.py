"""
When a usage window of an account is exhausted at the present rate. Pure.

The rate is that of the last hour. Upstreams report how much of a usage window is used in percent, and no
history of that is stored: so the percent of a window is related to what the account used since it began.
That is exact where percent and usage grow in proportion. Usage of the account beyond this gateway, before
the last hour, makes the projected end too early, because its percent is attributed to what is known; in
the last hour, too late. Where a load changes, the time that is left changes in inverse proportion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RECENT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Projection:
    """
    When what is left is exhausted at `rate` per second.

    `exhausted_at` is None where it lasts until `resets_at`, or nothing is used. All times in Unix seconds.
    """

    rate: float
    exhausted_at: float | None
    resets_at: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Amounts by point in time: `amounts[n]` from `starts[n]` to the next start, the last one to `until`."""

    starts: Sequence[float]
    amounts: Sequence[float]
    until: float

    def between(self, since: float, until: float) -> float:
        """Return the amount from *since* to *until*; of a point that is partly in it, that part."""
        total = 0.0
        ends = (*self.starts[1:], self.until)[: len(self.starts)]
        for start, end, amount in zip(self.starts, ends, self.amounts, strict=True):
            inside = min(end, until) - max(start, since)
            if inside > 0 and end > start:
                total += amount * inside / (end - start)
        return total


def project(used: float, maximum: float, rate: float, now: float, resets_at: float) -> Projection:
    """Return when *used* reaches *maximum* at *rate* per second."""
    remaining = maximum - used
    if remaining <= 0:
        return Projection(rate, now, resets_at)
    if rate <= 0:
        return Projection(rate, None, resets_at)
    exhausted_at = now + remaining / rate
    return Projection(rate, exhausted_at if exhausted_at < resets_at else None, resets_at)


def project_window(
    used_percent: float, window_seconds: float, usage: Usage, rate: float, now: float, resets_at: float
) -> Projection | None:
    """
    Return when a usage window of an account is exhausted; None where that cannot be projected.

    *usage* is the account's, in any unit, as far back as it is known; *rate* is in this unit per second.
    """
    if used_percent >= 100:
        return Projection(0.0, now, resets_at)
    if used_percent <= 0:
        return Projection(0.0, None, resets_at)
    if window_seconds <= 0 or resets_at <= now:
        return None
    known = usage.between(resets_at - window_seconds, now)
    if known <= 0:
        return None
    return project(used_percent, 100.0, used_percent / known * rate, now, resets_at)


def recent_rate(usage: Usage, now: float) -> float:
    """Return the amount of the last hour per second."""
    return usage.between(now - RECENT_SECONDS, now) / RECENT_SECONDS

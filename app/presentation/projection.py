"""When a usage window or a limit is used up at its present rate, the mean since it began. Pure."""

from __future__ import annotations

MIN_ELAPSED_SECONDS = 60.0  # age of a window, below which no rate is computed


def mean_rate(used: float, elapsed_seconds: float) -> float:
    """Return *used*, in any unit, per second of a window that began *elapsed_seconds* ago."""
    return used / max(elapsed_seconds, MIN_ELAPSED_SECONDS)


def exhausted_at(remaining: float, rate: float, resets_at: float | None, now: float) -> float | None:
    """Return when *remaining* is used up at *rate* per second; None: never, or not before *resets_at*."""
    if rate <= 0:
        return None
    at = now + remaining / rate
    return at if resets_at is None or at < resets_at else None

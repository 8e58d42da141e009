"""The budget durations of LiteLLM as periods of limits."""

from __future__ import annotations

from typing import Any

from app.stores.records.limits import Period

_PERIODS = {
    **dict.fromkeys(("1h", "60m", "3600s"), Period.HOUR),
    **dict.fromkeys(("1d", "24h", "86400s", "daily"), Period.DAY),
    **dict.fromkeys(("7d", "1w", "weekly"), Period.WEEK),
    **dict.fromkeys(("30d", "31d", "1mo", "monthly"), Period.MONTH),
}


def period_of(duration: Any) -> Period | None:
    """Return the period for *duration*, EVER for no duration; None if no period matches."""
    return Period.EVER if duration is None else _PERIODS.get(str(duration)[:32])

"""How times are written for people, wherever they read them as text."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(unix_seconds: float) -> str:
    """Return a point in time as `2027-01-31 18:00Z`."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%d %H:%MZ")

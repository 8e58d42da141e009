"""
Calendar windows in a pool's time zone: the start and end of this hour, day, week and month.

Redis has the time but no time zones, and a process has time zones but its clock may be wrong. So scripts
receive this window and the next, and use the one that contains the store's time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

SPANS = ("hour", "day", "week", "month")


class Calendar:
    """The calendar windows of each time zone, computed once per zone and hour."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, list[int]]] = {}

    def windows(self, zone: str, now: float) -> dict[str, list[int]]:
        """Return {span: [start, end, end of the next]}, Unix ms, around *now* (Unix seconds)."""
        known = self._known.get(zone)
        if known is None or not known["hour"][0] <= now * 1000 < known["hour"][1]:
            known = self._known[zone] = _windows(ZoneInfo(zone), now)
        return known


def _windows(zone: ZoneInfo, now: float) -> dict[str, list[int]]:
    local = datetime.fromtimestamp(now, zone)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    month = day.replace(day=1)
    next_month = _first_of_next_month(month)
    week = day - timedelta(days=day.weekday())
    hour_start = now - now % 3600  # in UTC, so that it has 3600 s when local clocks change
    return {
        "hour": [int(hour_start + 3600 * n) * 1000 for n in range(3)],
        "day": [_ms(day + timedelta(days=n)) for n in range(3)],
        "week": [_ms(week + timedelta(days=7 * n)) for n in range(3)],
        "month": [_ms(month), _ms(next_month), _ms(_first_of_next_month(next_month))],
    }


def _first_of_next_month(first: datetime) -> datetime:
    return (first + timedelta(days=32)).replace(day=1)


def _ms(moment: datetime) -> int:
    """Return Unix ms. The caller adds days in wall-clock time, so windows begin at local midnight."""
    return int(moment.timestamp() * 1000)

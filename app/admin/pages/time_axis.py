"""The labels of a time axis, in the viewer's time zone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = (
    *(5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR),
    *(DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 364 * DAY),
)
MAX_LABELS = 8


def labels(starts: Sequence[int], until: int, zone: tzinfo) -> list[tuple[int, str]]:
    """
    Return labels for at most MAX_LABELS of the points that begin at *starts*: (index, text).

    They are at round times: full hours, midnights, every seventh day. *starts* are Unix seconds.
    """
    if len(starts) < 2:
        return [(index, _text(_local(start, zone), DAY)) for index, start in enumerate(starts)]
    length = max(until - starts[0], 1)
    point = (starts[-1] - starts[0]) / (len(starts) - 1)  # seconds from one to the next
    step = next((one for one in STEPS if one >= point * 0.99 and length / one <= MAX_LABELS), STEPS[-1])
    found = []
    before = _number(_local(starts[0] - 1, zone), step)
    for index, start in enumerate(starts):
        at = _local(start, zone)
        if (number := _number(at, step)) != before:
            found.append((index, _text(at, step)))
        before = number
    return found[-MAX_LABELS:]


def period(start: int, until: int, zone: tzinfo, present: int = 0) -> str:
    """
    Return the period from *start* to *until* in words: `Nov 28, 17:00–18:00`; all in Unix seconds.

    It has the year, unless that is the year of *present*.
    """
    first, last = _local(start, zone), _local(until, zone)
    year = f", {first.year}" if present and first.year != _local(present, zone).year else ""
    if until - start > 2 * DAY:
        return f"{_date(first)}–{_date(_local(until - 1, zone))}{year}"
    if until - start > DAY - 2 * HOUR:  # a day has 23 hours where the clocks go forward
        return f"{first:%a}, {_date(first)}{year}"
    return f"{_date(first)}{year}, {first:%H:%M}–{last:%H:%M}"


def _local(unix_seconds: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(unix_seconds, zone)


def _number(at: datetime, step: int) -> int:
    """Return the number of the *step* of local time that contains *at*."""
    days = at.toordinal() - 1  # weeks begin on Mondays
    if step >= DAY:
        return days // (step // DAY)
    return days * DAY // step + (at.hour * HOUR + at.minute * MINUTE + at.second) // step


def _text(at: datetime, step: int) -> str:
    if step >= DAY or (at.hour * HOUR + at.minute * MINUTE < step and step >= HOUR):
        return _date(at)
    return f"{at:%H:%M}"


def _date(at: datetime) -> str:
    return f"{at:%b} {at.day}"

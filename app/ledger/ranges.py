"""Time ranges for which usage is shown, and the points in time into which each is divided. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.errors import InvalidRequest

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS = 60, 3600, 86400
WEEK_STEP_SECONDS = 4 * HOUR_SECONDS
MAX_POINTS = 120
MAX_DAYS = 731  # two years
EARLIEST = 946_684_800  # the year 2000, Unix seconds


class Span(StrEnum):
    """A range that ends now."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"


class Step(StrEnum):
    """The distance between the points of a range. Days are those of the pool's time zone."""

    MINUTE = "minute"
    HOUR = "hour"
    FOUR_HOURS = "4 hours"
    DAY = "day"
    WEEK = "week"  # seven days

    @property
    def is_days(self) -> bool:
        """Whether a point lasts one or more days."""
        return self in (Step.DAY, Step.WEEK)


_POINTS = {Span.HOUR: 60, Span.DAY: 24, Span.WEEK: 7 * 24, Span.MONTH: 30, Span.QUARTER: 90}


@dataclass(frozen=True, slots=True)
class Range:
    """Points that begin at `starts`; the last one ends at `until`. All in Unix seconds."""

    step: Step
    starts: tuple[int, ...]
    until: int
    span: Span | None = None  # None: not from a span

    @property
    def since(self) -> int:
        return self.starts[0]

    @property
    def is_one_point(self) -> bool:
        return len(self.starts) == 1

    @property
    def as_one_point(self) -> Range:
        """The same range, undivided: days are read where hours are not needed."""
        return replace(self, starts=self.starts[:1])

    def point_at(self, at: int) -> int:
        """Return the index of the point that contains *at* (Unix seconds); 0 if it is before the first."""
        return max(0, bisect_right(self.starts, at) - 1)


def range_of_span(span: Span, now: int, zone: ZoneInfo) -> Range:
    """Return the range of *span* up to *now*."""
    points = _POINTS[span]
    match span:
        case Span.HOUR:
            return Range(Step.MINUTE, _last(MINUTE_SECONDS, points, now), now, span)
        case Span.DAY:
            return Range(Step.HOUR, _last(HOUR_SECONDS, points, now), now, span)
        case Span.WEEK:
            hours = _last(HOUR_SECONDS, points, now)
            starts = sorted({hour - hour % WEEK_STEP_SECONDS for hour in hours})
            return Range(Step.FOUR_HOURS, (hours[0], *starts[1:]), now, span)
        case _:
            today = datetime.fromtimestamp(now, zone).date()
            return Range(Step.DAY, _days(today - timedelta(days=points - 1), today, zone), now, span)


def range_between(since: float, until: float, now: int, zone: ZoneInfo) -> Range:
    """
    Return the range from *since* to *until*, extended to full hours or days.

    Up to five days are divided into hours, up to 120 days into days, longer ranges into weeks. Raises
    InvalidRequest with the param `from` or `to`.
    """
    if since < EARLIEST:
        raise InvalidRequest("from must not be before the year 2000", param="from")
    if since >= now:
        raise InvalidRequest("from must be in the past", param="from")
    if until <= since:
        raise InvalidRequest("The end (to) must be after the start (from)", param="to")
    if until - since > MAX_DAYS * DAY_SECONDS:
        raise InvalidRequest("from and to must not be more than two years apart", param="from")
    last = min(int(until), now)
    first_hour = int(since) - int(since) % HOUR_SECONDS
    hours = range(first_hour, last, HOUR_SECONDS)
    if len(hours) <= MAX_POINTS:
        return Range(Step.HOUR, tuple(hours), min(hours[-1] + HOUR_SECONDS, now))
    return _range_of_days(int(since), last, now, zone)


def in_days(requested: Range, now: int, zone: ZoneInfo) -> Range:
    """Return *requested* in days or weeks, from the beginning of its first day."""
    if requested.step.is_days:
        return requested
    days = _range_of_days(requested.since, requested.until, now, zone)
    return Range(days.step, days.starts, days.until, requested.span)


def _range_of_days(since: int, until: int, now: int, zone: ZoneInfo) -> Range:
    first = datetime.fromtimestamp(since, zone).date()
    last = datetime.fromtimestamp(until - 1, zone).date()
    days = _days(first, last, zone)
    end = min(day_start(last + timedelta(days=1), zone), now)
    if len(days) <= MAX_POINTS:
        return Range(Step.DAY, days, end)
    return Range(Step.WEEK, days[::7], end)


def day_start(day: date, zone: ZoneInfo) -> int:
    """Return when *day* begins in *zone*, in Unix seconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def day_start_of(at: int, zone: ZoneInfo) -> int:
    """Return when the day that contains *at* begins."""
    return day_start(datetime.fromtimestamp(at, zone).date(), zone)


def next_day(start: int, zone: ZoneInfo) -> int:
    """Return when the day after the one that begins at *start* begins."""
    return day_start(datetime.fromtimestamp(start, zone).date() + timedelta(days=1), zone)


def full_days(within: Range, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each day of *zone* that is completely in *within*."""
    start = day_start_of(within.since, zone)
    if start < within.since:
        start = next_day(start, zone)
    while (end := next_day(start, zone)) <= within.until:
        yield start, end
        start = end


def _days(first: date, last: date, zone: ZoneInfo) -> tuple[int, ...]:
    return tuple(day_start(first + timedelta(days=number), zone) for number in range((last - first).days + 1))


def _last(length: int, number: int, now: int) -> tuple[int, ...]:
    current = now - now % length
    return tuple(current - length * back for back in reversed(range(number)))

"""Usage over a range of time, point by point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from app.errors import InvalidRequest
from app.ledger.measured import MeasuredUsage
from app.ledger.measurements import ENDPOINT_USAGE, parse_times, parse_usage
from app.ledger.points import Series, TimesSeries, make_series, make_times
from app.ledger.ranges import (
    DAY_SECONDS,
    HOUR_SECONDS,
    Range,
    Span,
    Step,
    day_start_of,
    in_days,
    range_between,
    range_of_span,
)
from app.ledger.summaries import (
    BREAKDOWN_SECONDS,
    DAY,
    HOUR,
    SECONDS,
    SETTLE_SECONDS,
    Grouping,
    Only,
    Summaries,
    Sums,
)
from app.stores.ledger import LedgerRepository
from app.stores.measurements import MeasurementRepository
from app.stores.pool_clock import PoolClock
from app.stores.records.ledger import position_of
from app.stores.scripts import Scripts
from app.stores.summaries import MINUTE, SummaryRepository

HALF_DAY_SECONDS = 43_200
MINUTES_MADE = 60  # how far back summaries are prepared
HOURS_MADE = 31 * 24
DAYS_MADE = 800
MAX_MADE = 200  # by one run of the job, of each sort; the newest come first


class UsageSeries:
    """
    Usage over time.

    The last hour counts requests by when they ended, as times and endpoints always do; everything else
    by when they began.
    """

    def __init__(self, scripts: Scripts) -> None:
        self._ledger = LedgerRepository(scripts)
        self._clock = PoolClock(scripts)
        self._summaries = Summaries(self._ledger, SummaryRepository(scripts))
        self._measured = MeasuredUsage(self._ledger, MeasurementRepository(scripts))

    def now(self) -> float:
        """Return the time on the store's clock, Unix seconds."""
        return self._clock.now()

    def range_of(self, pool: str, span: str) -> Range:
        """Return the range of *span*, a Span, up to now."""
        return range_of_span(Span(span), *self._now(pool))

    def range_between(self, pool: str, since: float, until: float) -> Range:
        """
        Return the range between two moments (Unix seconds), in days where its hours are not retained.

        Raises InvalidRequest with the param `from` or `to`.
        """
        now, zone = self._now(pool)
        requested = range_between(since, until, now, zone)
        hours = self._ledger.rollups.starts(pool, HOUR)
        if requested.step is Step.HOUR and (not hours or requested.since < hours[0]):
            days = self._ledger.rollups.starts(pool, DAY)
            if days and (not hours or days[0] < hours[0] - DAY_SECONDS):
                return in_days(requested, now, zone)
        return requested

    def series(self, pool: str, span: str, by: str = Grouping.ALL) -> Series:
        """Return the usage of *pool* in *span*, a Span, grouped by a Grouping."""
        return self.read(pool, self.range_of(pool, span), by)

    def read(self, pool: str, within: Range, by: str = Grouping.ALL, only: Only | None = None) -> Series:
        """
        Return the usage of *pool* in the range *within*, grouped by a Grouping; that of *only*.

        With *only* the points may be days where those of *within* are hours. Raises InvalidRequest, with
        the param `by`, `span` or `from`, where what is stored cannot answer.
        """
        if only is not None:
            return self._read_only(pool, within, by, only)
        return self._read(pool, within, by)

    def _read(self, pool: str, within: Range, by: str, line: str | None = None) -> Series:
        """Return the usage grouped by *by*; with *line*, an id, of that alone."""
        now, zone = self._now(pool)
        if by == Grouping.ENDPOINT:
            texts = self._measured.read(pool, within, ENDPOINT_USAGE, now, zone)
            return make_series(within, ((at, parse_usage(text)) for at, text in texts), line)
        parts: Iterable[tuple[int, Sums | None]]
        if within.step is Step.MINUTE:
            parts = self._minutes(pool, within.starts, by, now)
        elif within.step.is_days:
            parts = self._days(pool, within, by, now, zone)
        else:
            parts = self._hours(pool, within.since, within.until, by, now)
        return make_series(within, parts, line)

    def _read_only(self, pool: str, within: Range, by: str, only: Only) -> Series:
        if by in (Grouping.ALL, only.noun):
            series = self._read(pool, within, only.noun, only.id)
            line = "" if by == Grouping.ALL else only.id
            return replace(series, lines={line: series.lines[only.id]} if only.id in series.lines else {})
        now, zone = self._now(pool)
        _check_breakdown(within, by, only, now)
        if within.step is Step.FOUR_HOURS or within.since < now - BREAKDOWN_SECONDS[HOUR]:
            within = in_days(within, now, zone)
        if within.step.is_days:
            return make_series(within, self._days(pool, within, by, now, zone, only))
        return make_series(within, self._hours(pool, within.since, within.until, by, now, only))

    def times(self, pool: str, within: Range, by: str, ids: Iterable[str] | None = None) -> TimesSeries:
        """Return how long requests took, grouped by a Grouping; with *ids* only those lines."""
        now, zone = self._now(pool)
        only_ids = None if ids is None else frozenset(ids)
        texts = self._measured.read(pool, within, by, now, zone)
        return make_times(within, ((at, parse_times(text, only_ids)) for at, text in texts))

    def newest_minutes(self, pool: str, number: int) -> dict[str, int]:
        """Return the sums of the *number* newest minutes that are over, by figure; {} without requests."""
        now = int(self._clock.now())
        over = _over(MINUTE, now)
        starts = [over - SECONDS[MINUTE] * back for back in range(number, 0, -1)]
        parts = self._minutes(pool, starts, Grouping.ALL, now)
        return make_series(Range(Step.MINUTE, (starts[0],), over), parts).totals().get("", {})

    def make(self, pool: str) -> int:
        """
        Make summaries and measurements that `read` and `times` will read; return how many those were.

        It makes the newest first, a bounded number in each call.
        """
        now, zone = self._now(pool)
        made = 0
        if self._newest(pool) >= now - HOUR_SECONDS:
            over = _over(MINUTE, now)
            minutes = range(over - MINUTES_MADE * SECONDS[MINUTE], over, SECONDS[MINUTE])
            made += self._summaries.make(pool, MINUTE, minutes[::-1], over, MAX_MADE)
        over = _over(HOUR, now)
        hours = self._known(pool, HOUR, over - HOURS_MADE * HOUR_SECONDS, over)
        made += self._summaries.make(pool, HOUR, hours[::-1], over, MAX_MADE)
        today = day_start_of(now, zone)
        days = self._known(pool, DAY, today - DAYS_MADE * DAY_SECONDS, today)
        made += self._summaries.make(pool, DAY, days[::-1], today, MAX_MADE)
        return made + self._measured.make(pool, now, zone, MAX_MADE)

    def _minutes(self, pool: str, starts: Sequence[int], by: str, now: int) -> Iterator[tuple[int, Sums]]:
        if self._newest(pool) >= starts[0]:
            over = _over(MINUTE, now)
            for start, sums in zip(
                starts, self._summaries.read(pool, MINUTE, starts, by, over=over), strict=True
            ):
                yield start, sums or {}

    def _hours(
        self, pool: str, since: int, until: int, by: str, now: int, only: Only | None = None
    ) -> Iterator[tuple[int, Sums | None]]:
        known = self._known(pool, HOUR, since, until)
        yield from zip(known, self._sums(pool, HOUR, known, by, _over(HOUR, now), only), strict=True)

    def _sums(
        self, pool: str, span: str, starts: Sequence[int], by: str, over: int, only: Only | None
    ) -> list[Sums | None]:
        if only is None:
            return self._summaries.read(pool, span, starts, by, over=over)
        return self._summaries.read_breakdowns(pool, span, starts, only, by, over=over)

    def _days(
        self, pool: str, within: Range, by: str, now: int, zone: ZoneInfo, only: Only | None = None
    ) -> Iterator[tuple[int, Sums | None]]:
        """
        Yield the days that are over, and today hour by hour: its roll-up is the largest, and not stored.

        Where the pool's days begin within an hour, today includes all of that hour.
        """
        today = day_start_of(now, zone)
        until = min(within.until, today)
        known = self._known(pool, DAY, within.since - HALF_DAY_SECONDS, until - HALF_DAY_SECONDS)
        by_day = self._sums(pool, DAY, known, by, today, only)
        # a day from before the pool's time zone changed counts for the day with the larger part
        yield from ((start + HALF_DAY_SECONDS, sums) for start, sums in zip(known, by_day, strict=True))
        if within.until > today:
            first_hour = today - today % HOUR_SECONDS
            hours = self._hours(pool, first_hour, within.until, by, now, only)
            yield from ((max(start, today), sums) for start, sums in hours)

    def _known(self, pool: str, span: str, first: int, before: int) -> list[int]:
        return [start for start in self._ledger.rollups.starts(pool, span) if first <= start < before]

    def _now(self, pool: str) -> tuple[int, ZoneInfo]:
        return int(self._clock.now()), self._clock.zone(pool)

    def _newest(self, pool: str) -> int:
        """Return when the newest request ended, Unix seconds; 0: there is none."""
        newest_id = self._ledger.newest_id(pool)
        return position_of(newest_id)[0] // 1000 if newest_id != "0" else 0


def _check_breakdown(within: Range, by: str, only: Only, now: int) -> None:
    if by not in only.groupings:
        allowed = ", ".join(("all", *only.groupings))
        raise InvalidRequest(
            f"The usage of one {only.noun} cannot be grouped by {by[:64]}; it can be by {allowed}", param="by"
        )
    if within.step is Step.MINUTE:
        message = f"The last hour of one {only.noun} cannot be grouped by {by}; choose 24h or more"
        raise InvalidRequest(message, param="span")
    if within.since < now - BREAKDOWN_SECONDS[DAY]:
        days = BREAKDOWN_SECONDS[DAY] // DAY_SECONDS
        message = f"The usage of one {only.noun} by {by} is stored for {days} days; choose a later date"
        raise InvalidRequest(message, param="from")


def _over(span: str, now: int) -> int:
    """Return the start of the first minute or hour that is not over."""
    return (now - SETTLE_SECONDS) // SECONDS[span] * SECONDS[span]

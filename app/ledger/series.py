"""Usage over a range of time, point by point."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from app.ledger.known_totals import KnownTotals
from app.ledger.measured import MeasuredUsage
from app.ledger.points import Series, TimesSeries
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
from app.ledger.summaries import DAY, HOUR, SECONDS, Summaries, start_of_running
from app.ledger.sums import Grouping, Only
from app.ledger.usage_reading import UsageReading
from app.stores.ledger import LedgerRepository
from app.stores.measurements import MeasurementRepository
from app.stores.pool_clock import PoolClock
from app.stores.scripts import Scripts
from app.stores.summaries import MINUTE, SummaryRepository

MINUTES_MADE = 60  # how far back the job prepares summaries
HOURS_MADE = 31 * 24
DAYS_MADE = 800
MAX_MADE = 200  # summaries of each sort per run of the job, the newest first


class UsageSeries:
    """
    Usage over time.

    The last hour counts requests by when they ended, as times and endpoints always do; everything else counts
    them by when they began.
    """

    def __init__(self, scripts: Scripts) -> None:
        self._ledger = LedgerRepository(scripts)
        self._clock = PoolClock(scripts)
        self._stored = SummaryRepository(scripts)
        self._known_totals = KnownTotals()
        self._measured = MeasuredUsage(self._ledger, MeasurementRepository(scripts))

    def now(self) -> float:
        """Return the time on the store's clock, Unix seconds."""
        return self._clock.now()

    def at_once(self, pool: str) -> UsageReading:
        """Return a reading of the usage of *pool* as of now, which can be grouped in several ways."""
        return UsageReading(pool, *self._now(pool), self._ledger, self._summaries, self._measured)

    def range_of(self, pool: str, span: str) -> Range:
        """Return the range of *span*, a Span, up to now."""
        return range_of_span(Span(span), *self._now(pool))

    def range_between(self, pool: str, since: float, until: float) -> Range:
        """
        Return the range between two moments (Unix seconds), in days if its hours are not retained.

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
        reading = self.at_once(pool)
        return reading.read(reading.range_of(span), by)

    def read(self, pool: str, within: Range, by: str = Grouping.ALL, only: Only | None = None) -> Series:
        """Return the usage of *pool*, as `UsageReading.read` does."""
        return self.at_once(pool).read(within, by, only)

    def times(self, pool: str, within: Range, by: str, ids: Iterable[str] | None = None) -> TimesSeries:
        """Return durations of requests, as `UsageReading.times` does."""
        return self.at_once(pool).times(within, by, ids)

    def newest_minutes(self, pool: str, number: int) -> dict[str, int]:
        """Return the sums of the *number* newest complete minutes, by figure; {} without requests."""
        reading = self.at_once(pool)
        over = start_of_running(MINUTE, reading.now)
        minutes = Range(Step.MINUTE, (over - SECONDS[MINUTE] * number,), over - 1)
        return reading.read(minutes).totals().get("", {})

    def make(self, pool: str) -> int:
        """
        Compute summaries and measurements that `read` and `times` will need; return their number.

        Each call computes a bounded number, the newest first.
        """
        now, zone = self._now(pool)
        summaries, made = self._summaries, 0
        if self._ledger.newest_at(pool) >= now - HOUR_SECONDS:
            over = start_of_running(MINUTE, now)
            minutes = range(over - MINUTES_MADE * SECONDS[MINUTE], over, SECONDS[MINUTE])
            made += summaries.make(pool, MINUTE, minutes[::-1], over, MAX_MADE)
        over = start_of_running(HOUR, now)
        hours = self._known(pool, HOUR, over - HOURS_MADE * HOUR_SECONDS, over)
        made += summaries.make(pool, HOUR, hours[::-1], over, MAX_MADE)
        today = day_start_of(now, zone)
        days = self._known(pool, DAY, today - DAYS_MADE * DAY_SECONDS, today)
        made += summaries.make(pool, DAY, days[::-1], today, MAX_MADE)
        return made + self._measured.make(pool, now, zone, MAX_MADE)

    @property
    def _summaries(self) -> Summaries:
        return Summaries(self._ledger, self._stored, self._known_totals)

    def _known(self, pool: str, span: str, first: int, before: int) -> list[int]:
        return [start for start in self._ledger.rollups.starts(pool, span) if first <= start < before]

    def _now(self, pool: str) -> tuple[int, ZoneInfo]:
        return int(self._clock.now()), self._clock.zone(pool)

"""Usage over the last hour, day, week or month, point by point."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.ledger.summaries import (
    DAY,
    HOUR,
    SECONDS,
    SETTLE_SECONDS,
    SUMMARY_FIGURES,
    Amounts,
    Grouping,
    Summaries,
    Sums,
)
from app.stores.ledger import LedgerRepository
from app.stores.pool_clock import PoolClock
from app.stores.records.ledger import position_of
from app.stores.scripts import Scripts
from app.stores.summaries import MINUTE, SummaryRepository

DAYS = 30
_MINUTES, _HOURS, _WEEK_HOURS = 60, 24, 7 * 24
WEEK_STEP_SECONDS = 4 * 3600
HALF_DAY_SECONDS = 43_200


class Span(StrEnum):
    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


@dataclass(frozen=True, slots=True)
class Series:
    """
    Amounts by id (`""` for all) at each point: `lines[id][point]`, in the order of SUMMARY_FIGURES.

    A point lasts from its start to the next one's, the last one until `until`, which is now. All in
    Unix seconds.
    """

    starts: list[int]
    until: int
    lines: Mapping[str, list[Amounts]]

    def points(self, line: str = "") -> list[dict[str, int]]:
        """Return the figures of one line by name, zeros where nothing was used."""
        nothing = [[0] * len(SUMMARY_FIGURES)] * len(self.starts)
        return [dict(zip(SUMMARY_FIGURES, point, strict=True)) for point in self.lines.get(line, nothing)]

    def totals(self) -> dict[str, dict[str, int]]:
        """Return the sums of each line by figure."""
        return {
            line: dict(zip(SUMMARY_FIGURES, map(sum, zip(*points, strict=True)), strict=True))
            for line, points in self.lines.items()
        }


class UsageSeries:
    """Usage over time. The last hour goes by when requests ended, the other spans by when they began."""

    def __init__(self, scripts: Scripts) -> None:
        self._ledger = LedgerRepository(scripts)
        self._clock = PoolClock(scripts)
        self._summaries = Summaries(self._ledger, SummaryRepository(scripts))

    def series(self, pool: str, span: str, by: str = Grouping.ALL) -> Series:
        """Return the usage of *pool* in *span*, a Span, grouped by a Grouping."""
        now, zone = self._now(pool)
        match span:
            case Span.HOUR:
                starts = _last(MINUTE, _MINUTES, now)
                parts = self._minutes(pool, starts, by, now)
            case Span.DAY:
                starts = _last(HOUR, _HOURS, now)
                parts = self._hours(pool, starts, by, now)
            case Span.WEEK:
                hours = _last(HOUR, _WEEK_HOURS, now)
                starts = sorted({hour - hour % WEEK_STEP_SECONDS for hour in hours})
                parts = self._hours(pool, hours, by, now)
            case _:
                starts = _days(now, zone)
                parts = self._days(pool, starts, by, now)
        return _added(starts, parts, now)

    def newest_minutes(self, pool: str, number: int) -> dict[str, int]:
        """Return the sums of the *number* newest minutes that are over, by figure; {} without requests."""
        now = int(self._clock.now())
        over = _over(MINUTE, now)
        starts = [over - SECONDS[MINUTE] * back for back in range(number, 0, -1)]
        parts = self._minutes(pool, starts, Grouping.ALL, now)
        return _added([starts[0]], parts, now).totals().get("", {})

    def make(self, pool: str) -> int:
        """Make the missing summaries that `series` will read; return how many those were."""
        now, zone = self._now(pool)
        made = 0
        if self._newest(pool) >= now - 3600:
            minutes = _last(MINUTE, _MINUTES, now)
            over = _over(MINUTE, now)
            made += self._summaries.make(pool, MINUTE, [minute for minute in minutes if minute < over])
        hours = self._known(pool, HOUR, _last(HOUR, _WEEK_HOURS, now)[0], now)
        over = _over(HOUR, now)
        made += self._summaries.make(pool, HOUR, [hour for hour in hours if hour < over])
        days = _days(now, zone)
        return made + self._summaries.make(pool, DAY, self._known(pool, DAY, days[0], days[-1]))

    def _minutes(self, pool: str, starts: list[int], by: str, now: int) -> Iterator[tuple[int, Sums]]:
        if self._newest(pool) >= starts[0]:
            over = _over(MINUTE, now)
            yield from zip(starts, self._summaries.read(pool, MINUTE, starts, by, over=over), strict=True)

    def _hours(self, pool: str, starts: list[int], by: str, now: int) -> Iterator[tuple[int, Sums]]:
        known = self._known(pool, HOUR, starts[0], now + 3600)
        over = _over(HOUR, now)
        yield from zip(known, self._summaries.read(pool, HOUR, known, by, over=over), strict=True)

    def _days(self, pool: str, days: list[int], by: str, now: int) -> Iterator[tuple[int, Sums]]:
        """
        Yield the days that are over, and today hour by hour: its roll-up is the largest, and not stored.

        Where the pool's days begin within an hour, today includes all of that hour.
        """
        known = self._known(pool, DAY, days[0] - HALF_DAY_SECONDS, days[-1] - HALF_DAY_SECONDS)
        by_day = self._summaries.read(pool, DAY, known, by, over=days[-1])
        # a day from before the pool's time zone changed counts for the day with the larger part
        yield from ((start + HALF_DAY_SECONDS, sums) for start, sums in zip(known, by_day, strict=True))
        today = range(days[-1] - days[-1] % 3600, now + 3600, 3600)
        yield from ((max(start, days[-1]), sums) for start, sums in self._hours(pool, list(today), by, now))

    def _known(self, pool: str, span: str, first: int, before: int) -> list[int]:
        return [start for start in self._ledger.rollups.starts(pool, span) if first <= start < before]

    def _now(self, pool: str) -> tuple[int, ZoneInfo]:
        return int(self._clock.now()), self._clock.zone(pool)

    def _newest(self, pool: str) -> int:
        """Return when the newest request ended, Unix seconds; 0: there is none."""
        newest_id = self._ledger.newest_id(pool)
        return position_of(newest_id)[0] // 1000 if newest_id != "0" else 0


def _added(starts: list[int], parts: Iterator[tuple[int, Sums]], now: int) -> Series:
    lines: dict[str, list[Amounts]] = {}
    for at, sums in parts:
        index = bisect_right(starts, at) - 1
        if index < 0:
            continue
        for name, amounts in sums.items():
            line = lines.get(name)
            if line is None:
                line = lines[name] = [[0] * len(SUMMARY_FIGURES) for _ in starts]
            line[index] = [total + amount for total, amount in zip(line[index], amounts, strict=True)]
    return Series(starts, now, lines)


def _last(span: str, number: int, now: int) -> list[int]:
    length = SECONDS[span]
    current = now - now % length
    return [current - length * back for back in reversed(range(number))]


def _over(span: str, now: int) -> int:
    """Return the start of the first minute or hour that is not over."""
    return (now - SETTLE_SECONDS) // SECONDS[span] * SECONDS[span]


def _days(now: int, zone: ZoneInfo) -> list[int]:
    today = datetime.fromtimestamp(now, zone).date()
    dates = (today - timedelta(days=back) for back in reversed(range(DAYS)))
    return [int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) for day in dates]

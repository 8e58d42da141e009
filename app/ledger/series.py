"""What was used over the last hour, day, week or month, point by point."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.ledger.summaries import (
    ALL,
    DAY,
    FIGURES,
    HOUR,
    MINUTE,
    SECONDS,
    SETTLED_SECONDS,
    Amounts,
    SummaryRepository,
    Sums,
)
from app.stores import keys, rollups
from app.stores.client import store_errors
from app.stores.scripts import Scripts

SPANS = ("1h", "24h", "7d", "30d")
DAYS = 30
_MINUTES, _HOURS, _WEEK_HOURS = 60, 24, 7 * 24
WEEK_STEP_SECONDS = 4 * 3600
HALF_A_DAY = 43_200


@dataclass(frozen=True, slots=True)
class Series:
    """
    Amounts by id (`""` for all) at each point: `lines[id][point]`, in the order of `summaries.FIGURES`.

    A point lasts from its start to the next one's, the last one until `until`, which is now. All in
    Unix seconds.
    """

    starts: list[int]
    until: int
    lines: Mapping[str, list[Amounts]]

    def points(self, who: str = "") -> list[dict[str, int]]:
        """Return the figures of one line by name, zeros where nothing was used."""
        nothing = [[0] * len(FIGURES)] * len(self.starts)
        return [dict(zip(FIGURES, point, strict=True)) for point in self.lines.get(who, nothing)]

    def totals(self) -> dict[str, dict[str, int]]:
        """Return what each line comes to in all."""
        return {
            who: dict(zip(FIGURES, map(sum, zip(*points, strict=True)), strict=True))
            for who, points in self.lines.items()
        }


class SeriesRepository:
    """The last hour is told by when requests ended, all else by when they began."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._summaries = SummaryRepository(scripts)

    def series(self, pool: str, span: str, by: str = ALL) -> Series:
        """Return what *pool* used in *span*, one of SPANS, *by* all, key, account or model."""
        now, zone = self._now(pool)
        match span:
            case "1h":
                starts = _last(MINUTE, _MINUTES, now)
                return self._added(starts, self._minutes(pool, starts, by, now), now)
            case "24h":
                return self._added(
                    starts := _last(HOUR, _HOURS, now), self._hours(pool, starts, by, now), now
                )
            case "7d":
                hours = _last(HOUR, _WEEK_HOURS, now)
                points = sorted({hour - hour % WEEK_STEP_SECONDS for hour in hours})
                return self._added(points, self._hours(pool, hours, by, now), now)
        return self._added(days := _days(now, zone), self._days(pool, days, by, now), now)

    def make(self, pool: str) -> int:
        """Make what is missing of the summaries that `series` will want; return how many those were."""
        now, zone = self._now(pool)
        made = 0
        if self._newest(pool) >= now - 3600:
            minutes = _last(MINUTE, _MINUTES, now)
            made += self._summaries.make(pool, MINUTE, [one for one in minutes if one < _over(MINUTE, now)])
        hours = _last(HOUR, _WEEK_HOURS, now)
        known = self._known(pool, HOUR, hours[0], now)
        made += self._summaries.make(pool, HOUR, [one for one in known if one < _over(HOUR, now)])
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
        Yield the days that are over, and today hour by hour: its roll-up is the largest, and not kept.

        Where the pool's days begin within an hour, today has all of that hour.
        """
        known = self._known(pool, DAY, days[0] - HALF_A_DAY, days[-1] - HALF_A_DAY)
        sums = self._summaries.read(pool, DAY, known, by, over=days[-1])
        # one that began when the pool's days began at another hour counts where most of it lies
        yield from ((start + HALF_A_DAY, one) for start, one in zip(known, sums, strict=True))
        today = range(days[-1] - days[-1] % 3600, now + 3600, 3600)
        yield from ((max(start, days[-1]), one) for start, one in self._hours(pool, list(today), by, now))

    def _known(self, pool: str, span: str, first: int, before: int) -> list[int]:
        began = rollups.starts(self._scripts.client, pool, span)
        return [start for start in began if first <= start < before]

    def _added(self, starts: list[int], parts: Iterator[tuple[int, Sums]], now: int) -> Series:
        lines: dict[str, list[Amounts]] = {}
        for at, sums in parts:
            place = bisect_right(starts, at) - 1
            if place < 0:
                continue
            for who, amounts in sums.items():
                line = lines.get(who)
                if line is None:
                    line = lines[who] = [[0] * len(FIGURES) for _ in starts]
                line[place] = [known + more for known, more in zip(line[place], amounts, strict=True)]
        return Series(starts, now, lines)

    def _now(self, pool: str) -> tuple[int, ZoneInfo]:
        with store_errors():
            seconds, _ = self._scripts.client.time()
            return int(seconds), ZoneInfo(self._scripts.client.hget(keys.pool(pool), "zone") or "UTC")

    def _newest(self, pool: str) -> int:
        with store_errors():
            entries: list[Any] = self._scripts.client.xrevrange(keys.ledger(pool), count=1)
        return int(entries[0][0].partition("-")[0]) // 1000 if entries else 0


def _last(span: str, number: int, now: int) -> list[int]:
    length = SECONDS[span]
    current = now - now % length
    return [current - length * back for back in reversed(range(number))]


def _over(span: str, now: int) -> int:
    """Return the beginning of the first minute or hour that is not over."""
    return (now - SETTLED_SECONDS) // SECONDS[span] * SECONDS[span]


def _days(now: int, zone: ZoneInfo) -> list[int]:
    today = datetime.fromtimestamp(now, zone).date()
    dates = (today - timedelta(days=back) for back in reversed(range(DAYS)))
    return [int(datetime(one.year, one.month, one.day, tzinfo=zone).timestamp()) for one in dates]

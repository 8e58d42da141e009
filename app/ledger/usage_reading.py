"""Reads the usage and durations of a pool, all as of one moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from app.errors import InvalidRequest
from app.ledger.measured import MeasuredUsage
from app.ledger.measurements import ENDPOINT_USAGE, parse_times, parse_usage
from app.ledger.points import REST, Series, TimesSeries, make_series, make_times
from app.ledger.ranges import (
    DAY_SECONDS,
    HOUR_SECONDS,
    MINUTE_SECONDS,
    Range,
    Span,
    Step,
    day_start_of,
    full_days,
    in_days,
    range_of_span,
)
from app.ledger.summaries import BREAKDOWN_SECONDS, DAY, HOUR, Summaries, start_of_running
from app.ledger.sums import Amounts, Grouping, Only, Sums
from app.stores.ledger import LedgerRepository
from app.stores.summaries import MINUTE

HALF_DAY_SECONDS = 43_200
EXHAUSTIVE = (Grouping.KEY, Grouping.ACCOUNT, Grouping.MODEL)  # a request is in exactly one line of these

Ids = Collection[str] | None
Parts = Iterator[tuple[int, Sums | None]]  # start in Unix seconds, sums


class UsageReading:
    """
    The usage of *pool* at *now*, Unix seconds.

    The current hour is added up once, however often it is read, so that a page shows the same moment
    everywhere.
    """

    def __init__(
        self,
        pool: str,
        now: int,
        zone: ZoneInfo,
        ledger: LedgerRepository,
        summaries: Summaries,
        measured: MeasuredUsage,
    ) -> None:
        self.now = now
        self._pool = pool
        self._zone = zone
        self._ledger = ledger
        self._summaries = summaries
        self._measured = measured
        self._starts: dict[str, list[int]] = {}

    def range_of(self, span: str) -> Range:
        """Return the range of *span*, a Span, up to now."""
        return range_of_span(Span(span), self.now, self._zone)

    def read(self, within: Range, by: str = Grouping.ALL, only: Only | None = None) -> Series:
        """
        Return the usage in the range *within*, grouped by a Grouping; with *only*, that of its selection.

        With *only*, the points may be days although those of *within* are hours. Raises InvalidRequest, with
        the param `by`, `span` or `from`, if the stored data has no such breakdown.
        """
        if only is None:
            return self._read(within, by)
        if by in (Grouping.ALL, only.noun):
            series = self._read(within, only.noun, [only.id])
            line = "" if by == Grouping.ALL else only.id
            return replace(series, lines={line: series.lines[only.id]} if only.id in series.lines else {})
        _check_breakdown(within, by, only, self.now)
        if within.step is Step.MINUTE:
            return make_series(within, self._minutes(within, by, only=only))
        if within.step is Step.FOUR_HOURS or within.since < self.now - BREAKDOWN_SECONDS[HOUR]:
            within = in_days(within, self.now, self._zone)
        if within.step.is_days:
            return make_series(within, self._days(within, by, only=only))
        return make_series(within, self._hours(within.since, within.until, by, only=only))

    def read_lines(self, within: Range, by: str, lines: Collection[str]) -> Series:
        """Return the usage of *lines*, grouped by a Grouping, and that of all others as the line REST."""
        if by not in EXHAUSTIVE:
            return self._read(within, by).with_rest(lines)
        own, everything = self._read(within, by, lines), self._read(within, Grouping.ALL)
        return replace(own, lines={**own.lines, REST: _remaining(everything, own)})

    def times(self, within: Range, by: str, ids: Iterable[str] | None = None) -> TimesSeries:
        """Return durations of requests, grouped by a Grouping; with *ids* only those lines."""
        only_ids = None if ids is None else frozenset(ids)
        texts = self._measured.read(self._pool, within, by, self.now, self._zone)
        return make_times(within, ((at, parse_times(text, only_ids)) for at, text in texts))

    def _read(self, within: Range, by: str, ids: Ids = None) -> Series:
        """Return the usage grouped by *by*; with *ids* only theirs. The line of keys without a team is ''."""
        if by == Grouping.TEAM and ids is None:
            return _with_teamless(self._rolled_up(within, by), self._rolled_up(within, Grouping.ALL))
        if by == Grouping.ENDPOINT:
            texts = self._measured.read(self._pool, within, ENDPOINT_USAGE, self.now, self._zone)
            return make_series(within, ((at, parse_usage(text, ids)) for at, text in texts))
        return self._rolled_up(within, by, ids)

    def _rolled_up(self, within: Range, by: str, ids: Ids = None) -> Series:
        if within.step is Step.MINUTE:
            parts = self._minutes(within, by, ids)
        elif within.step.is_days:
            parts = self._days(within, by, ids)
        elif within.is_one_point:
            parts = self._days_and_hours(within, by, ids)
        else:
            parts = self._hours(within.since, within.until, by, ids)
        return make_series(within, parts)

    def _minutes(self, within: Range, by: str, ids: Ids = None, only: Only | None = None) -> Parts:
        if self._ledger.newest_at(self._pool) >= within.since:
            starts = range(within.since, within.until + 1, MINUTE_SECONDS)
            for start, sums in self._sums(MINUTE, starts, by, ids, only):
                yield start, sums or {}

    def _hours(self, since: int, until: int, by: str, ids: Ids = None, only: Only | None = None) -> Parts:
        return self._sums(HOUR, self._known(HOUR, since, until), by, ids, only)

    def _days_and_hours(self, within: Range, by: str, ids: Ids) -> Parts:
        """Yield the days of *within* whose roll-ups equal the sums of their hours, and all other hours."""
        days = [day for day in full_days(within, self._zone) if self._has_sums_of_hours(*day)]
        starts = [start for start, _ in days]
        hours = [
            hour
            for hour in self._known(HOUR, within.since, within.until)
            if not any(start <= hour < until for start, until in days)
        ]
        yield from self._total(DAY, starts, by, ids)
        yield from self._total(HOUR, hours, by, ids)

    def _has_sums_of_hours(self, start: int, until: int) -> bool:
        """
        Return whether the roll-up of a day has exactly the requests of its hours.

        It does not if a day begins within an hour, if the pool's time zone has changed, so that days overlap,
        or if hours are no longer stored.
        """
        before = day_start_of(start - 1, self._zone)
        near = {day for day in self._starts_of(DAY) if start - DAY_SECONDS - 2 * HOUR_SECONDS < day < until}
        hours = self._starts_of(HOUR)
        return (
            near - {before} == {start}
            and start % HOUR_SECONDS == until % HOUR_SECONDS == 0
            and bool(hours)
            and hours[0] <= start
        )

    def _days(self, within: Range, by: str, ids: Ids = None, only: Only | None = None) -> Parts:
        """
        Yield the past days, and today hour by hour: its roll-up is the largest, and not summarized yet.

        If the pool's days begin within an hour, today includes all of that hour.
        """
        today = self._today
        until = min(within.until, today)
        known = self._known(DAY, within.since - HALF_DAY_SECONDS, until - HALF_DAY_SECONDS)
        read = self._total if within.is_one_point else self._sums
        # a day from before the pool's time zone changed counts for the day with the larger part
        yield from ((start + HALF_DAY_SECONDS, sums) for start, sums in read(DAY, known, by, ids, only))
        if within.until > today:
            hours = self._known(HOUR, today - today % HOUR_SECONDS, within.until)
            yield from ((max(start, today), sums) for start, sums in self._total(HOUR, hours, by, ids, only))

    def _sums(self, span: str, starts: Sequence[int], by: str, ids: Ids, only: Only | None = None) -> Parts:
        over = self._over(span)
        if only is None:
            sums = self._summaries.read(self._pool, span, starts, by, ids, over=over)
        else:
            sums = self._summaries.read_breakdowns(self._pool, span, starts, only, by, over=over)
        return zip(starts, sums, strict=True)

    def _total(self, span: str, starts: Sequence[int], by: str, ids: Ids, only: Only | None = None) -> Parts:
        """Return the same as `_sums` for *starts* that belong to one point, if possible in fewer parts."""
        if ids is not None or only is not None:
            return self._sums(span, starts, by, ids, only)
        return iter(self._summaries.read_total(self._pool, span, starts, by, over=self._over(span)))

    def _over(self, span: str) -> int:
        """Return the start of the first *span* that is not past."""
        return self._today if span == DAY else start_of_running(span, self.now)

    def _known(self, span: str, first: int, before: int) -> list[int]:
        return [start for start in self._starts_of(span) if first <= start < before]

    def _starts_of(self, span: str) -> list[int]:
        if span not in self._starts:
            self._starts[span] = self._ledger.rollups.starts(self._pool, span)
        return self._starts[span]

    @property
    def _today(self) -> int:
        return day_start_of(self.now, self._zone)


def _remaining(everything: Series, own: Series) -> list[tuple[int, Amounts]]:
    """Return what is left of the line '' of *everything* without the lines of *own*."""
    minus = [(at, [-each for each in amounts]) for parts in own.lines.values() for at, amounts in parts]
    return [*everything.lines.get("", ()), *minus]


def _with_teamless(teams: Series, everything: Series) -> Series:
    """Return *teams* with the usage of keys without a team as the line '', if there is any."""
    remaining = _remaining(everything, teams)
    has_any = any(map(sum, zip(*(amounts for _, amounts in remaining), strict=True)))
    return replace(teams, lines={**teams.lines, "": remaining}) if has_any else teams


def _check_breakdown(within: Range, by: str, only: Only, now: int) -> None:
    if by not in only.groupings:
        allowed = ", ".join(("all", *only.groupings))
        raise InvalidRequest(
            f"The usage of one {only.noun} cannot be grouped by {by[:64]}; it can be by {allowed}", param="by"
        )
    if within.since < now - BREAKDOWN_SECONDS[DAY]:
        days = BREAKDOWN_SECONDS[DAY] // DAY_SECONDS
        message = f"The usage of one {only.noun} by {by} is stored for {days} days; choose a later date"
        raise InvalidRequest(message, param="from")

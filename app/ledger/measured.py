"""
Reads measurements of a range, and computes those that are missing.

The background job computes them: minutes from the ledger's entries, hours from their minutes, days from their
hours. If it was stopped, or after a restore, it computes an hour from the entries themselves, as long as the
ledger has them. A call of `read` computes only minutes that have just passed, so its cost is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from app.ledger.measurements import Measurements
from app.ledger.ranges import (
    DAY_SECONDS,
    HOUR_SECONDS,
    MINUTE_SECONDS,
    Range,
    Step,
    day_start_of,
    full_days,
    next_day,
)
from app.ledger.summaries import SETTLE_SECONDS, rows_between
from app.stores.ledger import LedgerRepository
from app.stores.measurements import MeasurementRepository
from app.stores.records.ledger import position_of
from app.stores.rollups import DAY, HOUR
from app.stores.summaries import MINUTE

DAYS_MADE = 31  # how far back hours and days are computed
UNMADE_SECONDS = 2 * HOUR_SECONDS  # younger hours are computed from minutes by a call of `read`
NO_PART = "{}"

Part = tuple[int, str]  # start in Unix seconds, stored text


class MeasuredUsage:
    def __init__(self, ledger: LedgerRepository, measurements: MeasurementRepository) -> None:
        self._ledger = ledger
        self._measurements = measurements

    def read(self, pool: str, within: Range, part: str, now: int, zone: ZoneInfo) -> Iterator[Part]:
        """Yield (start, text) of every stored *part* in the range *within*."""
        newest = self._ledger.newest_at(pool)
        if within.step is Step.MINUTE:
            minutes = range(within.since, min(within.until, newest) + 1, MINUTE_SECONDS)
            yield from self._minutes(pool, minutes, part, now)
        elif within.step.is_days:
            yield from self._days(pool, within, part, now, zone)
        else:
            hours = range(within.since - within.since % HOUR_SECONDS, within.until, HOUR_SECONDS)
            days = dict(self._full_days(pool, within, part, zone)) if within.is_one_point else {}
            yield from days.items()
            covered = {hour for start in days for hour in _hours_of(start, next_day(start, zone))}
            yield from self._hours(pool, [hour for hour in hours if hour not in covered], part, now, newest)

    def make(self, pool: str, now: int, zone: ZoneInfo, max_made: int) -> int:
        """
        Compute up to *max_made* hours and as many days, and the minutes of the last hour; return their
        number.
        """
        oldest, newest = self._oldest(pool), self._ledger.newest_at(pool)
        if not newest:
            return 0
        over = (now - SETTLE_SECONDS) // MINUTE_SECONDS * MINUTE_SECONDS
        minutes = range(max(over - HOUR_SECONDS, oldest - oldest % 60), min(over, newest + 1), 60)
        missing = self._measurements.missing(pool, MINUTE, minutes)
        for start in missing:
            self._make_minute(pool, start, now)
        over = (now - SETTLE_SECONDS) // HOUR_SECONDS * HOUR_SECONDS
        first = max(day_start_of(now - DAYS_MADE * DAY_SECONDS, zone), oldest)
        first -= first % HOUR_SECONDS
        hours = self._measurements.missing(
            pool, HOUR, range(first, min(over, newest + 1), HOUR_SECONDS)[::-1]
        )
        for start in hours[:max_made]:
            self._make_hour(pool, start, now)
        return (
            len(missing) + len(hours[:max_made]) + self._make_days(pool, first, hours[max_made:], now, zone)
        )

    def _make_days(self, pool: str, first_hour: int, unmade: Sequence[int], now: int, zone: ZoneInfo) -> int:
        """
        Compute the days whose hours are all stored; return their number.

        *unmade* are the hours that are not, the newest first. An hour in which a day begins is of that day.
        """
        today = day_start_of(now - SETTLE_SECONDS, zone)
        start = next_day(unmade[0] + HOUR_SECONDS - 1, zone) if unmade else day_start_of(first_hour, zone)
        days = []
        while start < today:
            days.append(start)
            start = next_day(start, zone)
        missing = self._measurements.missing(pool, DAY, days)
        for start in missing:
            measured = Measurements()
            for texts in self._measurements.read_all(pool, HOUR, _hours_of(start, next_day(start, zone))):
                measured.add_texts(texts)
            self._measurements.put(pool, DAY, start, measured.texts(), now)
        return len(missing)

    def _make_hour(self, pool: str, start: int, now: int) -> None:
        minutes = range(start, start + HOUR_SECONDS, MINUTE_SECONDS)
        stored = self._measurements.read_all(pool, MINUTE, minutes)
        measured = Measurements()
        for minute, texts in zip(minutes, stored, strict=True):
            if texts:
                measured.add_texts(texts)
            elif any(stored):
                self._add_rows(measured, pool, minute, MINUTE_SECONDS)
        if not any(stored):
            self._add_rows(measured, pool, start, HOUR_SECONDS)
        self._measurements.put(pool, HOUR, start, measured.texts(), now)

    def _make_minute(self, pool: str, start: int, now: int) -> dict[str, str]:
        measured = Measurements()
        self._add_rows(measured, pool, start, MINUTE_SECONDS)
        texts = measured.texts()
        if start + MINUTE_SECONDS + SETTLE_SECONDS <= now:
            self._measurements.put(pool, MINUTE, start, texts, now)
        return texts

    def _add_rows(self, measured: Measurements, pool: str, start: int, seconds: int) -> None:
        for row in rows_between(self._ledger, pool, start, start + seconds):
            measured.add_row(row)

    def _minutes(self, pool: str, starts: Sequence[int], part: str, now: int) -> Iterator[Part]:
        for start, text in zip(starts, self._measurements.read(pool, MINUTE, starts, part), strict=True):
            yield start, text or self._make_minute(pool, start, now).get(part, NO_PART)

    def _hours(self, pool: str, starts: Sequence[int], part: str, now: int, newest: int) -> Iterator[Part]:
        for start, text in zip(starts, self._measurements.read(pool, HOUR, starts, part), strict=True):
            if text:
                yield start, text
            elif start > now - UNMADE_SECONDS:
                minutes = range(start, min(start + HOUR_SECONDS, newest + 1), MINUTE_SECONDS)
                yield from self._minutes(pool, minutes, part, now)

    def _full_days(self, pool: str, within: Range, part: str, zone: ZoneInfo) -> Iterator[Part]:
        """Yield the days that are completely in *within*, if they are stored."""
        starts = [start for start, _ in full_days(within, zone)]
        for start, text in zip(starts, self._measurements.read(pool, DAY, starts, part), strict=True):
            if text:
                yield start, text

    def _days(self, pool: str, within: Range, part: str, now: int, zone: ZoneInfo) -> Iterator[Part]:
        """Yield the days of *within*; today, and yesterday until it is stored, hour by hour."""
        days = [day_start_of(within.since, zone)]
        while (start := next_day(days[-1], zone)) < within.until:
            days.append(start)
        newest = self._ledger.newest_at(pool)
        for start, text in zip(days, self._measurements.read(pool, DAY, days, part), strict=True):
            if text:
                yield start, text
            elif start > now - 2 * DAY_SECONDS:
                hours = _hours_of(start, next_day(start, zone))
                if next_day(start, zone) > now:  # the hour in which the next day begins still counts here
                    hours = range(hours.start, within.until, HOUR_SECONDS)
                yield from ((max(at, start), own) for at, own in self._hours(pool, hours, part, now, newest))

    def _oldest(self, pool: str) -> int:
        entries = self._ledger.read_forwards(pool, 1)
        return position_of(entries[0].id)[0] // 1000 if entries else 0


def _hours_of(start: int, until: int) -> range:
    """Return the hours that begin in a day, and the hour in which the day begins."""
    return range(start - start % HOUR_SECONDS, until - until % HOUR_SECONDS, HOUR_SECONDS)

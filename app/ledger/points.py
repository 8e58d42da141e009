"""
Usage and times at the points of a range. Pure.

A point consists of parts, the hours or days that are stored. Parts are added up only when they are read: most
lines are read as totals, and only those of a chart at each point.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import add

from app.ledger.histograms import merged
from app.ledger.measurements import Times, TimesById
from app.ledger.ranges import Range, Step
from app.ledger.sums import SUMMARY_FIGURES, Amounts, Sums

Parts = Sequence[tuple[int, Amounts]]  # (index of the point, amounts in the order of SUMMARY_FIGURES)
TimesParts = Sequence[tuple[int, Times]]

REST = "(rest)"  # the line of all lines that are not selected


@dataclass(frozen=True, slots=True)
class Series:
    """
    Usage by id (`""` for all).

    A point lasts from its start to the start of the next one, the last one to `until`. All are in Unix
    seconds.
    """

    starts: Sequence[int]
    until: int
    lines: Mapping[str, Parts]
    step: Step = Step.HOUR
    unprepared: int = 0  # number of hours or days that are missing, because their summaries are not made yet

    def amounts(self, line: str = "") -> list[Amounts]:
        """Return the amounts of one line at each point, in the order of SUMMARY_FIGURES."""
        points = [[0] * len(SUMMARY_FIGURES) for _ in self.starts]
        for index, amounts in self.lines.get(line, ()):
            points[index] = list(map(add, points[index], amounts))
        return points

    def points(self, line: str = "") -> list[dict[str, int]]:
        """Return the figures of one line by name; zeros at points without usage."""
        return [dict(zip(SUMMARY_FIGURES, amounts, strict=True)) for amounts in self.amounts(line)]

    def sums(self, line: str, figures: Iterable[str]) -> list[int]:
        """Return the sum of *figures* of one line at each point."""
        points = [0] * len(self.starts)
        for position in map(SUMMARY_FIGURES.index, figures):
            for index, amounts in self.lines.get(line, ()):
                points[index] += amounts[position]
        return points

    def with_rest(self, lines: Collection[str]) -> Series:
        """Return the series of *lines* alone, with all others as the line REST."""
        rest = [part for line, parts in self.lines.items() if line not in lines for part in parts]
        return replace(self, lines={line: self.lines.get(line, ()) for line in lines} | {REST: rest})

    def totals(self) -> dict[str, dict[str, int]]:
        """Return the sums of each line by figure."""
        totals = {}
        for line, parts in self.lines.items():
            columns = zip(*(amounts for _, amounts in parts), strict=True)
            totals[line] = dict(zip(SUMMARY_FIGURES, map(sum, columns), strict=True))
        return totals


@dataclass(frozen=True, slots=True)
class TimesSeries:
    """Durations of the requests that ended at each point, by id."""

    starts: Sequence[int]
    until: int
    lines: Mapping[str, TimesParts]

    def points(self, line: str) -> list[Times]:
        """Return the times of one line at each point."""
        parts = defaultdict[int, list[Times]](list)
        for index, times in self.lines.get(line, ()):
            parts[index].append(times)
        return [_merge(parts[index]) for index in range(len(self.starts))]

    def totals(self) -> dict[str, Times]:
        """Return the times of each line over all points."""
        return {line: _merge([times for _, times in parts]) for line, parts in self.lines.items()}


def _merge(parts: Iterable[Times]) -> Times:
    first, total, speed = ([times[measure] for times in parts] for measure in range(3))
    return merged(first), merged(total), merged(speed)


def make_series(within: Range, parts: Iterable[tuple[int, Sums | None]]) -> Series:
    """Return the sums of *parts*, (start in Unix seconds, sums or None), at the points of *within*."""
    lines: dict[str, list[tuple[int, Amounts]]] = defaultdict(list)
    unprepared = 0
    for at, sums in parts:
        index = bisect_right(within.starts, at) - 1
        if sums is None:
            unprepared += 1
            continue
        if index < 0:
            continue
        for line, amounts in sums.items():
            lines[line].append((index, amounts))
    return Series(within.starts, within.until, dict(lines), within.step, unprepared)


def make_times(within: Range, parts: Iterable[tuple[int, TimesById]]) -> TimesSeries:
    """Return the times of *parts*, (start in Unix seconds, times by id), at the points of *within*."""
    lines: dict[str, list[tuple[int, Times]]] = defaultdict(list)
    for at, by_id in parts:
        index = within.point_at(at)
        for line, times in by_id.items():
            lines[line].append((index, times))
    return TimesSeries(within.starts, within.until, dict(lines))

"""Usage and times at the points of a range. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import add

from app.ledger.measurements import Times, add_times, no_times
from app.ledger.ranges import Range, Step
from app.ledger.summaries import SUMMARY_FIGURES, Amounts, Sums


@dataclass(frozen=True, slots=True)
class Series:
    """
    Amounts by id (`""` for all) at each point: `lines[id][point]`, in the order of SUMMARY_FIGURES.

    A point lasts from its start to the next one's, the last one until `until`. All in Unix seconds.
    """

    starts: list[int]
    until: int
    lines: Mapping[str, list[Amounts]]
    step: Step = Step.HOUR
    unprepared: int = 0  # hours or days that are left out: their summaries are still being made

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


@dataclass(frozen=True, slots=True)
class TimesSeries:
    """How long the requests that ended at each point took, by id: `lines[id][point]`."""

    starts: Sequence[int]
    until: int
    lines: Mapping[str, list[Times]]

    def totals(self) -> dict[str, Times]:
        """Return the times of each line over all points."""
        totals: dict[str, Times] = {}
        for line, points in self.lines.items():
            total = totals[line] = no_times()
            for times in points:
                add_times(total, times)
        return totals


def add_parts(within: Range, parts: Iterable[tuple[int, Sums | None]], only: str | None = None) -> Series:
    """
    Return the sums of *parts*, (start in Unix seconds, sums or None), at the points of *within*.

    With *only*, an id, those of the other lines are left out.
    """
    lines: dict[str, list[Amounts]] = {}
    unprepared = 0
    for at, sums in parts:
        index = bisect_right(within.starts, at) - 1
        if sums is None:
            unprepared += 1
            continue
        if index < 0:
            continue
        if only is not None:
            sums = {only: sums[only]} if only in sums else {}
        for name, amounts in sums.items():
            line = lines.get(name)
            if line is None:
                line = lines[name] = [[0] * len(SUMMARY_FIGURES) for _ in within.starts]
            line[index] = list(map(add, line[index], amounts))
    return Series(list(within.starts), within.until, lines, within.step, unprepared)

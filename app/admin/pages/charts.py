"""
Charts as SVG: columns over time, and the bar of a limit. Pure.

The drawing stretches with the page and therefore contains no text; the page adds a scale, a legend
and a table with the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

COLUMN = 10  # units of width for each point in time
HEIGHT = 100
GAP = 1.5  # units left free between columns
STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Series:
    """One figure over time. `shade` is its CSS class; a point is None where it is unknown."""

    label: str
    shade: str
    points: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """Series on top of each other, one column for each of `starts` (Unix seconds)."""

    name: str  # unique on its page
    title: str
    starts: Sequence[int]
    series: Sequence[Series]
    format_value: Callable[[float | None], str] = str  # formats its numbers
    until: int = 0  # end of the last column, Unix seconds

    @property
    def empty(self) -> bool:
        return not any(point for series in self.series for point in series.points)

    @property
    def top(self) -> float:
        """The value at the upper edge."""
        sums = [sum(series.points[n] or 0 for series in self.series) for n in range(len(self.starts))]
        return nice_top(max(sums, default=0))

    @property
    def scale(self) -> str:
        return self.format_value(self.top)

    def rows(self) -> list[tuple[int, list[str]]]:
        """Return the same data as a table: (start, a number for each series), newest first."""
        rows = [
            (start, [self.format_value(series.points[n]) for series in self.series])
            for n, start in enumerate(self.starts)
        ]
        return rows[::-1]

    def svg(self) -> Markup:
        """Return the chart as an SVG element."""
        width = max(len(self.starts), 1) * COLUMN
        parts = [_rule(width, level) for level in (0.5, HEIGHT / 2)]
        for n in range(len(self.starts)):
            floor = float(HEIGHT)
            for series in self.series:
                tall = HEIGHT * (series.points[n] or 0) / self.top
                floor -= tall
                if tall > 0:
                    parts.append(_rect(series.shade, n * COLUMN + GAP / 2, floor, COLUMN - GAP, tall))
        parts.append(_rule(width, HEIGHT, "base"))
        return Markup(
            '<svg class="plot" role="img" viewBox="0 0 {} {}" preserveAspectRatio="none"'
            ' aria-labelledby="{}-title {}-desc"><title id="{}-title">{}</title>'
            '<desc id="{}-desc">{}</desc>{}</svg>'
        ).format(
            width, HEIGHT, *[self.name] * 3, self.title, self.name, self._described(), Markup("").join(parts)
        )

    def _described(self) -> str:
        if self.empty:
            return "No data in this period."
        maxima = ", ".join(
            f"{series.label} at most {self.format_value(max(point or 0 for point in series.points))}"
            for series in self.series
        )
        return f"{len(self.starts)} columns; {maxima}. The table below has every number."


def nice_top(maximum: float) -> float:
    """Return the smallest round number that is at least *maximum*."""
    if maximum <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(maximum))
    return next(step * power for step in STEPS if step * power >= maximum * 0.999999)


def bar(settled: float, held: float, maximum: float) -> Markup:
    """Return a bar of *maximum*: the settled part, then the part reserved by running requests."""
    maximum = max(maximum, 1e-9)
    first = min(settled / maximum, 1.0) * 100
    second = min(held / maximum * 100, 100 - first)
    shade = "full" if settled >= maximum else "settled"
    parts = [
        Markup('<rect class="{}" x="{:.2f}" width="{:.2f}" height="6"/>').format(name, at, wide)
        for name, at, wide in ((shade, 0.0, first), ("held", first, second))
        if wide > 0
    ]
    return Markup(
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(Markup("").join(parts))


def _rule(width: float, level: float, shade: str = "rule") -> Markup:
    return Markup('<path class="{}" d="M0 {:g}H{:g}"/>').format(shade, level, width)


def _rect(shade: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{:g}" y="{:.3f}" width="{:g}" height="{:.3f}"/>').format(
        shade, x, y, width, height
    )

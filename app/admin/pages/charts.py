"""
Charts as SVG: stacked columns and lines over time. Pure.

A drawing stretches with the page: shapes have their own view box, and texts are placed by percentages. The
page adds a legend, and a table with the same numbers; the script shows a row of the table on hover, and to
the keyboard. `sparks.py` has small drawings for rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum

from markupsafe import Markup

from app.admin.pages import time_axis

COLUMN = 10  # width of a point in time, in units of the view box
HEIGHT = 100
GAP = 2  # gap between columns, in the same units
STEPS = (1, 2, 2.5, 5, 10)
INTERVALS = 4  # maximum number of intervals between grid lines
SHADES = ("series-1", "series-2", "series-3", "series-4", "series-5", "series-6")


class Shape(StrEnum):
    COLUMNS = "columns"  # stacked
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Series:
    """One figure over time; unknown points are None. Its CSS class is one of SHADES, or `series-bad`."""

    label: str
    shade: str
    points: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """
    Series over time, with a point for each of `starts` (Unix seconds); a point lasts until the next one.
    """

    name: str  # unique on its page
    title: str
    starts: Sequence[int]
    series: Sequence[Series]
    format_value: Callable[[float | None], str] = str  # of tables and of what is shown on hover
    until: int = 0  # end of the last point, Unix seconds
    shape: Shape = Shape.COLUMNS
    zone: tzinfo = UTC  # of the time axis
    format_axis: Callable[[float | None], str] | None = None  # of the value axis; None: `format_value`

    @property
    def empty(self) -> bool:
        return not any(point for series in self.series for point in series.points)

    @property
    def scale(self) -> list[float]:
        """The values of the grid lines, from the top down to 0."""
        points = [[series.points[n] or 0 for series in self.series] for n in range(len(self.starts))]
        reach = sum if self.shape is Shape.COLUMNS else max
        integers = all(value == int(value) for each in points for value in each)
        return nice_scale(max((reach(each) for each in points if each), default=0), integers=integers)

    def axis(self) -> list[str]:
        """Return the labels of the grid lines, from the top down."""
        return [(self.format_axis or self.format_value)(value) for value in self.scale]

    def rows(self) -> list[tuple[str, list[str]]]:
        """Return the same data as a table: (period, a number for each series), newest first."""
        return [
            (self._period(n), [self.format_value(series.points[n]) for series in self.series])
            for n in reversed(range(len(self.starts)))
        ]

    def svg(self) -> Markup:
        """Return the chart as an SVG element."""
        width = max(len(self.starts), 1) * COLUMN
        scale = self.scale
        shapes = self._columns(scale[0]) if self.shape is Shape.COLUMNS else self._lines(scale[0])
        grid = [_rule(width, HEIGHT * n / (len(scale) - 1)) for n in range(len(scale) - 1)]
        area = Markup('<svg class="area" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>').format(
            width, HEIGHT, Markup("").join((*grid, *shapes, _rule(width, HEIGHT, "base")))
        )
        return Markup(
            '<svg class="plot" role="img" aria-labelledby="{0}-title {0}-desc">'
            '<title id="{0}-title">{1}</title><desc id="{0}-desc">{2}</desc>{3}<g>{4}</g></svg>'
        ).format(self.name, self.title, self._described(), area, Markup("").join(self._ticks()))

    def _columns(self, top: float) -> Iterator[Markup]:
        """Yield a path for each series: a rectangle for each point, stacked on the series before."""
        floors = [float(HEIGHT)] * len(self.starts)
        for series in self.series:
            parts = []
            for n, point in enumerate(series.points):
                if point and point > 0:
                    x, tall = n * COLUMN + GAP // 2, HEIGHT * point / top
                    floors[n] -= tall
                    parts.append(f"M{x} {floors[n]:.2f}h{COLUMN - GAP}v{tall:.2f}H{x}z")
            if parts:
                yield Markup('<path class="{}" d="{}"/>').format(series.shade, "".join(parts))

    def _lines(self, top: float) -> Iterator[Markup]:
        for series in self.series:
            yield Markup('<path class="line {}" d="{}"/>').format(series.shade, line(series.points, top))
            if lone := dots(series.points, top):
                yield Markup('<path class="line dot {}" d="{}"/>').format(series.shade, lone)

    def _ticks(self) -> Iterator[Markup]:
        share = 100 / max(len(self.starts), 1)
        found = time_axis.labels(self.starts, self.until, self.zone)
        for number, (index, text) in enumerate(found):
            at = (index + 0.5) * share
            shade = ("end" if at > 96 else "middle") + (" spare" if number % 2 else "")  # left out if narrow
            yield Markup('<text class="{}" x="{:.2f}%" y="100%">{}</text>').format(shade, at, text)

    def _period(self, n: int) -> str:
        """Return the period of point *n* in words."""
        end = self.starts[n + 1] if n + 1 < len(self.starts) else self.until
        return time_axis.period(self.starts[n], max(end, self.starts[n]), self.zone, self.until)

    def _described(self) -> str:
        if self.empty:
            return "No data in this period."
        maxima = ", ".join(
            f"{series.label} at most {self.format_value(max(point or 0 for point in series.points))}"
            for series in self.series
        )
        return f"{len(self.starts)} points; {maxima}. The table below has every number."


def nice_scale(maximum: float, *, integers: bool = False) -> list[float]:
    """Return round values from at least *maximum* down to 0; with `integers`, whole numbers."""
    step = max(maximum, 0.0) / INTERVALS
    if step <= 0:
        return [1.0, 0.0]
    power = 10.0 ** math.floor(math.log10(step))
    steps = [
        one * power for one in STEPS if not integers or (one * power >= 1 and (one * power).is_integer())
    ]
    step = next((one for one in steps if one >= step * 0.999999), 1.0)
    number = max(1, math.ceil(maximum / step - 1e-6))
    return [step * n for n in range(number, -1, -1)]


def line(points: Sequence[float | None], top: float, height: float = HEIGHT) -> str:
    """Return the path of *points*, with gaps at unknown points; a single point becomes a dot."""
    parts, is_open = list[str](), False
    for n, point in enumerate(points):
        if point is None:
            is_open = False
            continue
        parts.append(f"{'L' if is_open else 'M'}{_place(n, point, top, height)}")
        if _is_alone(points, n):
            parts.append("h.01")
        is_open = True
    return "".join(parts)


def dots(points: Sequence[float | None], top: float) -> str:
    """Return the path of those *points* that have no neighbour, to be drawn with a wide stroke."""
    return "".join(
        f"M{_place(n, point, top, HEIGHT)}h.01"
        for n, point in enumerate(points)
        if point is not None and _is_alone(points, n)
    )


def _place(n: int, point: float, top: float, height: float) -> str:
    return f"{(n + 0.5) * COLUMN:g} {height - height * min(point / top, 1.0):.2f}"


def _is_alone(points: Sequence[float | None], n: int) -> bool:
    return not any(point is not None for point in (*points[max(n - 1, 0) : n], *points[n + 1 : n + 2]))


def _rule(width: float, level: float, shade: str = "rule") -> Markup:
    return Markup('<path class="{}" d="M0 {:g}H{:g}"/>').format(shade, level, width)

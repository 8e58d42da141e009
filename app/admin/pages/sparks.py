"""Small drawings for rows and tiles: the bar of a limit, the share of a total, and a line over time. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from app.admin.pages.charts import COLUMN, line

HEIGHT = 20


def bar(settled: float, held: float, maximum: float) -> Markup:
    """Return a bar from 0 to *maximum*: the settled part, then the part reserved by running requests."""
    maximum = max(maximum, 1e-9)
    first = min(settled / maximum, 1.0) * 100
    second = min(held / maximum * 100, 100 - first)
    shade = "full" if settled >= maximum else "settled"
    return _bar("bar", (shade, first), ("held", second))


def share(value: float | None, total: float) -> Markup:
    """Return a bar with the share of *value* in *total*."""
    return _bar("share", ("series-1", 100 * min(max(value or 0, 0) / total, 1.0) if total > 0 else 0))


def sparkline(points: Sequence[float | None]) -> Markup:
    """Return a line without an axis, from 0 to its maximum; the numbers are shown next to it."""
    top = max((point or 0 for point in points), default=0)
    width = max(len(points), 1) * COLUMN
    path = line(points, top, HEIGHT) if top > 0 else f"M0 {HEIGHT}H{width}"
    return Markup(
        '<svg class="spark" viewBox="0 -1 {} {}" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="line series-1" d="{}"/></svg>'
    ).format(width, HEIGHT + 2, path)


def _bar(name: str, *parts: tuple[str, float]) -> Markup:
    """Return parts next to each other: (CSS class, width in percent)."""
    drawn, at = [], 0.0
    for shade, width in parts:
        if width > 0:
            drawn.append(
                Markup('<rect class="{}" x="{:.2f}" width="{:.2f}" height="6"/>').format(shade, at, width)
            )
        at += width
    return Markup(
        '<svg class="{}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(name, Markup("").join(drawn))

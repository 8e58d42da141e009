"""A replay as a picture: who served when, and when nobody could. SVG, no library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

BINS = 120
CELL, ROW, LEFT, TOP = 6, 22, 150, 34  # pixels
SERVED, REFUSED = "#1565c0", "#c62828"


def picture(title: str, times_ms: Sequence[int], chosen: Sequence[str], names: Mapping[str, str]) -> str:
    """
    Return an SVG: a row per account, the darker the more it served then; refusals in the last row.

    *chosen* is an account id by request, '' for a refusal; *times_ms* is when each began.
    """
    first, last = times_ms[0], times_ms[-1]
    places = [(at - first) * (BINS - 1) // max(1, last - first) for at in times_ms]
    counts = Counter(zip(chosen, places, strict=True))
    most = max(counts.values())
    rows = [*sorted(names, key=lambda account: names[account]), ""]
    width, height = LEFT + BINS * CELL + 10, TOP + len(rows) * ROW + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
        '<rect width="100%" height="100%" fill="white"/>'
        f'<text x="10" y="20" font-size="14">{escape(title)}</text>'
    ]
    for index, account in enumerate(rows):
        top = TOP + index * ROW
        label = names.get(account, "refused")
        lines.append(f'<text x="10" y="{top + 14}" font-size="12">{escape(label[:20])}</text>')
        for place in range(BINS):
            if count := counts[account, place]:
                color, depth = SERVED if account else REFUSED, 0.15 + 0.85 * count / most
                lines.append(
                    f'<rect x="{LEFT + place * CELL}" y="{top}" width="{CELL}" height="{ROW - 4}" '
                    f'fill="{color}" fill-opacity="{depth:.2f}"><title>{count}</title></rect>'
                )
    scale = f"{(last - first) / 3_600_000:.2f} hours; darkest: {most} requests"
    lines.append(f'<text x="{LEFT}" y="{height - 6}" font-size="11">{scale}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"

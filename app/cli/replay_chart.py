"""A chart of a replay as SVG: which account served when, and when requests were refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

BINS = 120
CELL, ROW, LEFT, TOP = 6, 22, 150, 34  # pixels
SERVED, REFUSED = "#1565c0", "#c62828"


def draw_chart(title: str, times_ms: Sequence[int], chosen: Sequence[str], names: Mapping[str, str]) -> str:
    """
    Return an SVG with a row per account, darker where it served more, and a last row of refusals.

    *chosen* is the account id of each request, '' for a refusal; *times_ms* are the starts of the requests.
    """
    first, last = times_ms[0], times_ms[-1]
    columns = [(at - first) * (BINS - 1) // max(1, last - first) for at in times_ms]
    counts = Counter(zip(chosen, columns, strict=True))
    maximum = max(counts.values())
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
        for column in range(BINS):
            if count := counts[account, column]:
                color, depth = SERVED if account else REFUSED, 0.15 + 0.85 * count / maximum
                lines.append(
                    f'<rect x="{LEFT + column * CELL}" y="{top}" width="{CELL}" height="{ROW - 4}" '
                    f'fill="{color}" fill-opacity="{depth:.2f}"><title>{count}</title></rect>'
                )
    scale = f"{(last - first) / 3_600_000:.2f} hours; darkest: {maximum} requests"
    lines.append(f'<text x="{LEFT}" y="{height - 6}" font-size="11">{scale}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"

"""CSV with exact numbers, in which no text is read as a formula. Source: OWASP, CSV injection."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # characters with which formulas begin in spreadsheets


def csv_text(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return CSV of *rows*: numbers as they are, None as an empty cell, and texts."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell

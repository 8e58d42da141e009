"""The order of the rows of a list by one of its columns. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

DEFAULT_COLUMN = "name"

Columns = Mapping[str, Callable[[Any], Any]]  # the value by which a column sorts; None sorts last
Row = TypeVar("Row")


def sort_rows(rows: Iterable[Row], columns: Columns, column: str, *, descending: bool = False) -> list[Row]:
    """Return *rows* sorted by *column* of *columns*; equal values by name, unknown values last."""
    value, unknown = columns[column], list[Row]()
    known = list[tuple[Any, Row]]()
    for row in sorted(rows, key=columns[DEFAULT_COLUMN]):
        if (sorted_by := value(row)) is None:
            unknown.append(row)
        else:
            known.append((sorted_by, row))
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return [row for _, row in known] + unknown

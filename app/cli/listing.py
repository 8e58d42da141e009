"""
Lists: --sort, --top and --csv of commands, and tables that fit a terminal.

In a pipe, texts are complete, and a table has neither colours nor totals.
"""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from app.cli.forms import WrongValue
from app.cli.output import (
    GAP,
    Figure,
    Wording,
    column_widths,
    is_right_aligned,
    join_columns,
    padded_widths,
    printable,
)
from app.cli.width import cut
from app.colours import shows_colours
from app.formatting import is_formula, natural

LISTING = "poolgate.listing"  # in click's meta: {name: value} of these options
MAX_TOP = 10_000
MIN_CHARS = 8  # minimum width of a column that is shortened
NEEDED = ("NAME", "ID")  # columns whose values other commands take
NOTHING = "-"
FULL_WIDTH = 130  # a terminal of this width shows every column
COLOURS = {
    "active": "green",
    "credential refused": "red",
    "disabled": "bright_black",
    "expired": "bright_black",
    "paused": "bright_black",
    "not used yet": "bright_black",
}

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class _Options:
    sort: str
    top: int | None
    as_csv: bool


def _store_option(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    context.meta.setdefault(LISTING, {})[parameter.name] = value


def listing(command: Callable[..., None]) -> Callable[..., None]:
    """Add --sort, --top and --csv to a command that prints with `show_table`."""
    options = (
        click.option(
            "--sort",
            metavar="COLUMN",
            default="",
            expose_value=False,
            callback=_store_option,
            help="Sort by this column: largest numbers first, texts from A to Z; -COLUMN reverses the order.",
        ),
        click.option(
            "--top",
            metavar="N",
            type=click.IntRange(1, MAX_TOP),
            expose_value=False,
            callback=_store_option,
            help="Print only the first N rows.",
        ),
        click.option(
            "--csv",
            "as_csv",
            is_flag=True,
            expose_value=False,
            callback=_store_option,
            help="Print CSV with exact numbers, for spreadsheets.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def check_listing(context: click.Context, *, as_json: bool) -> None:
    """Raise click.UsageError if --json is combined with an option of `listing`."""
    if as_json and any((context.meta.get(LISTING) or {}).values()):
        rows = "; --limit bounds its rows" if "max_rows" in context.params else ""
        raise click.UsageError(f"--json cannot be combined with --sort, --top or --csv{rows}", context)


def _options() -> _Options:
    context = click.get_current_context(silent=True)
    given = context.meta.get(LISTING) or {} if context is not None else {}
    return _Options(given.get("sort") or "", given.get("top"), bool(given.get("as_csv")))


def show_table(
    heads: Sequence[str],
    rows: Sequence[Row],
    empty: str,
    total: Row | None = None,
    spare: Sequence[str] = (),
) -> None:
    """
    Print *rows* under *heads* as the options of the command require, or *empty* to standard error.

    On a terminal, *total* ('' in columns without one) is printed below, if there are several rows, with their
    number where --top leaves some out. The columns *spare* (never the first one) are left out there if it is
    narrower than FULL_WIDTH. Raises WrongValue for an unknown column to sort by.
    """
    options = _options()
    if options.sort:
        rows = _sorted(heads, rows, options.sort)
    number = len(rows)
    rows = rows[: options.top]
    if options.as_csv:
        click.echo(to_csv(heads, rows), nl=False)
    elif not rows:
        click.echo(empty, err=True)
    else:
        width = terminal_width()
        more: Sequence[Row] = []
        if total is not None and width is not None and number > 1:
            more = [total if len(rows) == number else (f"{total[0]} OF {number}", *total[1:])]
        if width is not None and width < FULL_WIDTH:
            shown = [index for index, head in enumerate(heads) if not index or head not in spare]
            heads = [heads[index] for index in shown]
            rows, more = ([[row[index] for index in shown] for row in part] for part in (rows, more))
        click.echo(fitted(heads, rows, more, width))


def _sorted(heads: Sequence[str], rows: Sequence[Row], column: str) -> list[Row]:
    names = [column_name(head) for head in heads]
    column_to_sort = column_name(column.removeprefix("-"))
    if column_to_sort not in names:
        shown = ", ".join(name for name in names if name)
        raise WrongValue(f"must be a column, or -COLUMN: {shown}", param_hint="--sort")
    index = names.index(column_to_sort)
    ordered = sorted(rows, key=lambda row: _order(row[index]))
    return ordered[::-1] if column.startswith("-") else ordered


def column_name(head: str) -> str:
    """Return the name of a column as an option takes it: `in-flight`."""
    return head.strip().lower().replace(" ", "-").replace("_", "-")


def _order(cell: object) -> tuple[int, float, list[tuple[int, int, str]]]:
    number = _number(cell)
    if number is not None:
        return 0, -number, []
    text = cell.plain if isinstance(cell, Wording) else str(cell)
    return (2, 0, []) if text in ("", NOTHING) else (1, 0, natural(text))


def _number(cell: object) -> float | None:
    if isinstance(cell, Figure):
        return cell.number
    return float(cell) if isinstance(cell, int | float) else None


def to_csv(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """Return CSV with exact numbers, in which no text can be mistaken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column_name(head) for head in heads])
    writer.writerows([_csv_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _csv_cell(cell: object) -> str:
    if isinstance(cell, Figure) and cell.value is not None:
        return str(cell.value)
    if isinstance(cell, int | float):
        return str(cell)
    text = printable(cell.plain if isinstance(cell, Wording) else cell)
    if text == NOTHING:
        return ""
    return f"'{text}" if is_formula(str(cell)) else text


def terminal_width() -> int | None:
    """Return the width of standard output in columns, None if it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def has_colours() -> bool:
    """Return whether standard output shows colours."""
    return shows_colours(sys.stdout)


def fitted(heads: Sequence[str], rows: Sequence[Row], totals: Sequence[Row], width: int | None) -> str:
    """
    Return a table that fits *width* columns if possible; None: any width.

    Texts are shortened; where that is not enough, the last columns are left out, except those in NEEDED.
    """
    cells = [list(map(printable, row)) for row in (heads, *rows)]
    cells += [[printable(cell) if cell != "" else "" for cell in row] for row in totals]
    right = is_right_aligned(rows)
    widths = padded_widths(cells) if width is None else column_widths(cells)
    if width is not None:
        is_needed = [not index or head in NEEDED for index, head in enumerate(heads)]
        fixed = [to_right or needed for needed, to_right in zip(is_needed, right, strict=True)]
        shown = _columns_that_fit(widths, fixed, is_needed, width)
        heads, right = [heads[at] for at in shown], [right[at] for at in shown]
        room = width - len(GAP) * (len(shown) - 1)
        widths = _narrowed([widths[at] for at in shown], [fixed[at] for at in shown], room)
        cells = [[cut(row[at], size) for at, size in zip(shown, widths, strict=True)] for row in cells]
    colours = has_colours()
    lines = []
    for number, row in enumerate(cells):
        line = join_columns(row, widths, right)
        if colours and (number == 0 or number > len(rows)):
            line = [click.style(cell, bold=True) for cell in line]
        elif colours:
            line = [_coloured(*pair) for pair in zip(heads, line, strict=True)]
        lines.append(GAP.join(line).rstrip())
    return "\n".join(lines)


def _columns_that_fit(
    widths: Sequence[int], fixed: Sequence[bool], is_needed: Sequence[bool], room: int
) -> list[int]:
    """Return the indices of the columns that fit *room* if all texts that are not *fixed* are shortened."""
    least = [size if is_fixed else min(size, MIN_CHARS) for size, is_fixed in zip(widths, fixed, strict=True)]
    shown = list(range(len(least)))
    for index in reversed(range(len(least))):
        if sum(least[at] for at in shown) + len(GAP) * (len(shown) - 1) > room and not is_needed[index]:
            shown.remove(index)
    return shown


def _narrowed(widths: Sequence[int], fixed: Sequence[bool], room: int) -> list[int]:
    """Return *widths* with the widest that are not *fixed* reduced until their sum is *room*."""
    narrowed = list(widths)
    free = [index for index, is_fixed in enumerate(fixed) if not is_fixed]
    for _ in range(sum(narrowed) - room):
        widest = max(free, key=lambda index: narrowed[index], default=None)
        if widest is None or narrowed[widest] <= MIN_CHARS:
            break
        narrowed[widest] -= 1
    return narrowed


def _coloured(head: str, cell: str) -> str:
    text = cell.strip()
    if head == "STATUS" and text.isdigit():
        return click.style(cell, fg="red" if text >= "500" else "yellow" if text >= "400" else "green")
    if head == "STATE":
        known = (colour for word, colour in COLOURS.items() if text.startswith(word))
        return click.style(cell, fg=next(known, "yellow"))
    return click.style(cell, fg="red") if head == "ERROR" and text != NOTHING else cell

"""
Format amounts, money, times and names for API errors, the command line and the pages.

Pure. Headers and JSON fields do not use it: they carry exact numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import NotRequired, TypedDict

MICRO_DOLLARS = 1_000_000  # per dollar
SMALLEST = 100  # micro-dollars that tables show

_BREAK = re.compile(r"(?<=[\w-][_/.@])(?=\w)")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class NamedId(TypedDict):
    """The id and name of an object; if it was removed, the name is None, its last known one `former_name`."""

    id: str
    name: str | None
    former_name: NotRequired[str]


def named_id(object_id: str, name: str | None, former: Mapping[str, str]) -> NamedId:
    """Return the id and *name* of an object; without a name, its last one in *former*, by id."""
    if name is None and object_id in former:
        return {"id": object_id, "name": None, "former_name": former[object_id]}
    return {"id": object_id, "name": name}


def name_or_id(named: NamedId) -> str:
    """Return the name; of a removed object `<former name> (removed)`, or else `<id> (removed)`."""
    return named["name"] or f"{named.get('former_name', named['id'])} (removed)"


def name_parts(text: str) -> list[str]:
    """Return the parts of a name or address between which a line may break: after `_`, `/`, `.` and `@`."""
    return _BREAK.split(text)


def names_or_all(names: Iterable[str]) -> str:
    """Return `a, b`, or `all` for an empty list, which allows everything."""
    return ", ".join(names) or "all"


def count(number: float) -> str:
    """Return a whole number with thousands separators: `1,234,567`."""
    return f"{number:,.0f}"


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: `1 key`, `1,234 keys`; *plural* is *singular* with an s by default."""
    return f"{count(number)} {singular if number == 1 else plural or f'{singular}s'}"


def dollars(micro_dollars: float) -> str:
    """
    Return money for tables: `$1.50`, `$0.10`, `$0.0125`, `<$0.0001`.

    As `exact_dollars`, but rounded to cents from one dollar up, and to four decimals below.
    """
    amount = int(micro_dollars)
    if 0 < amount < SMALLEST:
        return f"<{exact_dollars(SMALLEST)}"
    step = MICRO_DOLLARS // 100 if amount >= MICRO_DOLLARS else SMALLEST
    return exact_dollars((amount + step // 2) // step * step)


def plain_dollars(micro_dollars: int) -> str:
    """Return money as a number that can be typed, with all of its decimals: `5`, `0.000125`."""
    return f"{Decimal(micro_dollars) / MICRO_DOLLARS:f}"


def exact_dollars(micro_dollars: float) -> str:
    """Return money with two to six decimals, without rounding: `$5.00`, `$0.000125`."""
    text = f"{Decimal(int(micro_dollars)) / MICRO_DOLLARS:,.6f}"
    integer, _, fraction = text.partition(".")
    return f"${integer}.{fraction.rstrip('0').ljust(2, '0')}"


def price(micro_dollars: int) -> str:
    """Return the price of a million tokens: `$1.25`, `free`."""
    return exact_dollars(micro_dollars) if micro_dollars else "free"


def milliseconds(ms: float) -> str:
    """Return a short time with three digits: `840 ms`, `1.24 s`."""
    return f"{ms:.0f} ms" if ms < 999.5 else f"{decimal(ms / 1000)} s"


def decimal(number: float) -> str:
    """Return a number with three digits: `1.24`, `56.1`, `1,240`."""
    return f"{number:,.0f}" if number >= 99.95 else f"{number:.3g}"


def duration(seconds: float) -> str:
    """Return a duration in its largest one or two units: `12 h 8 min`, `2 d 3 h`, `4 s`."""
    left, parts = max(0, math.ceil(seconds)), list[str]()
    for length, name in _UNITS:
        if left >= length and len(parts) < 2:
            parts.append(f"{left // length} {name}")
            left %= length
    return " ".join(parts) or "0 s"


def moment(unix_seconds: float, zone: tzinfo | None = UTC, *, seconds: bool = False) -> str:
    """Return a point in time with its zone: `2027-01-31 18:00Z`, `2027-01-31 19:00 CET`."""
    at = datetime.fromtimestamp(unix_seconds, zone)
    name, text = at.tzname() or "", at.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")
    if name == "UTC":
        return f"{text}Z"
    # The name of a zone without an abbreviation is its offset, such as +03.
    return f"{text} {'UTC' if name[:1] in '+-' else ''}{name}"


def natural(text: str) -> list[tuple[int, int, str]]:
    """Return the key to sort *text* by, with numbers in it by size: key-2 before key-10."""
    parts = re.split(r"([0-9]+)", text.lower())
    # Digits of other alphabets are text. The slice stays below the limit of int().
    return [(0, int(part[:400]), "") if index % 2 else (1, 0, part) for index, part in enumerate(parts)]


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet takes *text* in a CSV file for a formula. Source: OWASP, CSV injection."""
    return text.startswith(("=", "+", "-", "@", "\t", "\r"))

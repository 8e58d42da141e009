"""
The state of a list page, which is stored in its address: filters, order and page. `lists.html` draws it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from flask import request

PAGE_SIZE = 50
MAX_PAGE_DIGITS = 7
MAX_OPTIONS = 200
MAX_CHIP = 60  # of a value in a chip
MAX_TRAIL = 50  # newer pages that an address remembers
_POSITION = ("page", "cursor", "trail")  # parameters that a new filter or order resets
_LEADING = {"from": "to"}  # parameters without which others are refused
_ONCE = ("format",)  # parameters of a download, which belong to no other address
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Filter:
    """
    A filter of a list, by the parameter *name* of its address.

    Options are values, or pairs of a value and its text. With `free`, other values can be typed, and the
    options are suggestions.
    """

    name: str
    label: str
    options: Sequence[str | tuple[str, str]] = ()
    free: bool = False

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Return the first options as (value, text)."""
        pairs = [(one, one) if isinstance(one, str) else one for one in self.options[:MAX_OPTIONS]]
        return [pair for pair in pairs if pair[0]]

    @property
    def values(self) -> list[str]:
        return [value for value, _ in self.choices]

    def text_of(self, value: str) -> str:
        """Return the text of the option *value*."""
        return dict(self.choices).get(value, value)


class Chip(NamedTuple):
    """An active filter, and the address of the list without it."""

    label: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a list: by `column`, ascending or descending. As text: `cost`, `-cost`."""

    column: str
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.column}" if self.descending else self.column

    def next(self, column: str, descending_first: bool = False) -> str:
        """Return the order that a click on the header of *column* leads to."""
        descending = not self.descending if column == self.column else descending_first
        return str(Sort(column, descending))


@dataclass(frozen=True, slots=True)
class Pages:
    """Page `page` of a list of `total` entries, with `size` entries per page."""

    page: int
    total: int
    size: int = PAGE_SIZE

    @property
    def count(self) -> int:
        """The number of pages, at least one."""
        return max(1, math.ceil(self.total / self.size))

    @property
    def first(self) -> int:
        """The position of the first entry on this page, from 1; 0 if the list is empty."""
        return min((self.page - 1) * self.size + 1, self.total)

    @property
    def last(self) -> int:
        return min(self.page * self.size, self.total)

    @property
    def near(self) -> list[int | None]:
        """Return the pages to link: the first, the last and those around this one; None marks a gap."""
        shown = sorted({1, *range(max(1, self.page - 1), min(self.count, self.page + 1) + 1), self.count})
        links: list[int | None] = []
        for number in shown:
            if links and number != (links[-1] or 0) + 1:
                links.append(None)
            links.append(number)
        return links


@dataclass(frozen=True, slots=True)
class CursorLinks:
    """The addresses of other pages of a list that continues at a cursor; '' where there is none."""

    newest: str
    newer: str
    older: str


def parse_sort(text: str | None, columns: Collection[str], default: str) -> Sort:
    """
    Return the order in *text* if it names one of *columns*, else *default*; both as `column` or `-column`.
    """
    for candidate in (text or "", default):
        column = candidate.removeprefix("-")
        if column in columns:
            return Sort(column, candidate.startswith("-"))
    return Sort(default.removeprefix("-"), default.startswith("-"))


def paginate(entries: Sequence[T], page: str | None, size: int = PAGE_SIZE) -> tuple[Sequence[T], Pages]:
    """Return the entries of the page that the address names (or the nearest one), and the pages."""
    requested = (
        int(page) if page and page.isascii() and page.isdigit() and len(page) <= MAX_PAGE_DIGITS else 1
    )
    pages = Pages(1, len(entries), size)
    pages = Pages(min(max(requested, 1), pages.count), len(entries), size)
    return entries[(pages.page - 1) * size : pages.page * size], pages


def list_url(**changes: object) -> str:
    """Return the address of this page with *changes* to its query; None or "" removes a parameter."""
    reset = _ONCE if not changes or "page" in changes else (*_ONCE, *_POSITION)
    query = [
        (name, value)
        for name, value in request.args.items(multi=True)
        if name not in changes and name not in reset
    ]
    query += [(name, str(value)) for name, value in changes.items() if value not in (None, "")]
    return quote(request.path) + (f"?{urlencode(query)}" if query else "")


def cursor_links(older: str | None) -> CursorLinks:
    """
    Return the links of this page; *older* is the cursor of the next page, None on the last.

    A cursor leads only to older entries, so the address has the cursors of the newer pages in `trail`.
    """
    cursor = request.args.get("cursor", "")
    trail = [one for one in request.args.get("trail", "").split(",") if one]
    longer = ",".join([*trail, cursor][-MAX_TRAIL:])
    return CursorLinks(
        newest=list_url(cursor=None) if cursor else "",
        newer=list_url(cursor=trail[-1], trail=",".join(trail[:-1])) if cursor and trail else "",
        older=list_url(cursor=older, trail=longer) if older else "",
    )


def active_filters(filters: Iterable[Filter], extra: Iterable[tuple[str, str]] = ()) -> list[Chip]:
    """Return the active filters among *filters* and *extra* (name, label), with links that remove them."""
    known = (*filters, *(Filter(name, label) for name, label in extra))
    return [
        Chip(one.label, one.text_of(value)[:MAX_CHIP], _url_without(one.name))
        for one in known
        if (value := request.args.get(one.name, "").strip())
    ]


def _url_without(name: str) -> str:
    names = (name, _LEADING[name]) if name in _LEADING else (name,)
    return without_filters(names)


def without_filters(names: Iterable[str]) -> str:
    """Return the address of this page without the filters *names*."""
    return list_url(**dict.fromkeys(names))

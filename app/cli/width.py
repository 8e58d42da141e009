"""The width of texts on a terminal: wide characters take two columns, combining ones none."""

from __future__ import annotations

import unicodedata
from itertools import accumulate

ELLIPSIS = "…"


def width(text: str) -> int:
    """Return how many columns of a terminal *text* takes. Source: https://unicode.org/reports/tr11/"""
    return len(text) if text.isascii() else sum(map(_columns, text))


def pad(text: str, columns: int, *, to_right: bool = False) -> str:
    """Return *text* with spaces to *columns*: after it, or before it if it is aligned *to_right*."""
    spaces = " " * (columns - width(text))
    return spaces + text if to_right else text + spaces


def cut(text: str, columns: int) -> str:
    """Return *text* if it fits *columns*, else its beginning with an ellipsis."""
    if width(text) <= columns:
        return text
    room = columns - width(ELLIPSIS)
    ends = accumulate(map(_columns, text))
    return f"{''.join(character for character, end in zip(text, ends, strict=True) if end <= room)}{ELLIPSIS}"


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1

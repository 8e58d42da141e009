"""
How long an upstream asks to be left alone. It has several ways to say so.

Sources: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after; OpenAI's `retry-after-ms`
and "Please try again in 1m2s"; `resets_at` and `resets_in_seconds` of the ChatGPT backend.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

_PART = r"(\d+(?:\.\d+)?)\s*(milli|ms|[dhms])[a-z]*"
_TRY_AGAIN = re.compile(rf"try again in ((?:{_PART}[\s,]*)+)", re.IGNORECASE)
_UNIT_SECONDS = {"milli": 0.001, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def wait_of(error: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[float | None, float | None]:
    """
    Return (seconds to wait, end of the wait in Unix seconds), each None when not told.

    *headers* have lower-case names. An end is turned into seconds by the answer's own
    `Date`, there being no clock here.
    """
    resets_at = number(error.get("resets_at"))
    seconds = number(error.get("resets_in_seconds"))
    if seconds is None:
        seconds = number(headers.get("retry-after-ms"))
        seconds = number(headers.get("retry-after")) if seconds is None else seconds / 1000
    if resets_at is None:
        resets_at = _date(headers.get("retry-after"))
    sent_at = _date(headers.get("date"))
    if seconds is None and resets_at is not None and sent_at is not None:
        seconds = max(resets_at - sent_at, 0.0)
    if seconds is None:
        seconds = _told_in_words(error.get("message"))
    return seconds, resets_at


def number(value: Any) -> float | None:
    """Return a finite number that is not negative, also from a string; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def _date(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError):
        return None


def _told_in_words(message: Any) -> float | None:
    told = _TRY_AGAIN.search(message) if isinstance(message, str) else None
    if told is None:
        return None
    return sum(float(count) * _UNIT_SECONDS[unit.lower()] for count, unit in re.findall(_PART, told[1], re.I))

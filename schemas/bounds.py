"""
Bounds of what comes from outside, callers and upstreams alike, with the reason for each.

Pure and without imports of ours, so that every room may use it: a number, a wait, a date or a text
is clamped where it is read. A function returns None for a value that cannot be believed, which is
treated as if it had not been sent.
"""

from __future__ import annotations

import math
from typing import Any

MAX_TOKENS = 10**12  # thousands of times what any model reads; sums of a year stay below 2**53
MAX_COST = 10**13  # micro-dollars of one request: ten million dollars; Lua and cjson keep 14 digits
MAX_WAIT_SECONDS = 90 * 86_400  # longer than any usage window: a quarter
MAX_LIFETIME_SECONDS = 366 * 86_400  # of a credential or a usage window
MAX_PERCENT = 100.0
LATEST_AT = 4_102_444_800  # 2100-01-01; a date in the past is over, whichever it is
MAX_NUMBER_CHARS = 64  # of a number written as text; parsing time grows with its length
MAX_TEXT_CHARS = 256  # of a name or an identifier: of a model, an account, a key, a conversation
MAX_LISTED_MODELS = 5000  # of one upstream; the longest list known, of an aggregator, has hundreds
MAX_LISTED_BYTES = 1024 * 1024  # stored of an upstream's list, in JSON: 5,000 names of 200 bytes
MAX_TIER_CHARS = 64  # of a service tier; those that exist have eight
MAX_METADATA_PAIRS = 16  # as the OpenAI API documents `metadata`
MAX_METADATA_KEY_CHARS = 64
MAX_METADATA_VALUE_CHARS = 512


def number(value: Any) -> float | None:
    """Return a finite number that is not negative, also from a short string; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > MAX_NUMBER_CHARS:
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def tokens(value: Any) -> int | None:
    """Return a count of tokens, None for what cannot be one; 5.0 is 5, since JSON has one kind of number."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_TOKENS else None


def wait_seconds(value: Any) -> float | None:
    """Return how long to wait; None for more than `MAX_WAIT_SECONDS`, which nobody means."""
    found = number(value)
    return found if found is not None and found <= MAX_WAIT_SECONDS else None


def lifetime_seconds(value: Any) -> float | None:
    """Return how long something lasts, at most `MAX_LIFETIME_SECONDS`."""
    found = number(value)
    return None if found is None else min(found, MAX_LIFETIME_SECONDS)


def percent(value: Any) -> float | None:
    """Return a percentage; one above a hundred is a hundred."""
    found = number(value)
    return None if found is None else min(found, MAX_PERCENT)


def moment(value: Any) -> float | None:
    """Return a date in Unix seconds, None for one after this century."""
    found = number(value)
    return found if found is not None and found <= LATEST_AT else None


def text(value: Any, max_chars: int = MAX_TEXT_CHARS) -> str | None:
    """Return the first *max_chars* of a string; None for an empty one and for anything else."""
    return value[:max_chars] if isinstance(value, str) and value else None

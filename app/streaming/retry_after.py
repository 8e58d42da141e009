"""
Parse the wait that an upstream requests, from its headers and its error object.

Sources: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after; OpenAI's `retry-after-ms`
and "Please try again in 1m2s"; `resets_at` and `resets_in_seconds` of the ChatGPT backend.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from app.durations import UNIT_SECONDS
from schemas import bounds

MAX_MESSAGE_CHARS = 1000  # how much of a message is searched for a wait
_PART = r"(\d+(?:\.\d+)?)\s*(milli|ms|[dhms])[a-z]*"
_TRY_AGAIN = re.compile(rf"try again in ((?:{_PART}[\s,]*)+)", re.IGNORECASE)
_UNIT_SECONDS = {"milli": 0.001, **UNIT_SECONDS}


def parse_wait(error: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[float | None, float | None]:
    """
    Return (seconds to wait, end of the wait in Unix seconds); None for what is unknown or implausible.

    *headers* have lower-case names. An end is converted to seconds with the response's `Date`.
    """
    resets_at = bounds.moment(error.get("resets_at"))
    seconds = bounds.wait_seconds(error.get("resets_in_seconds"))
    if seconds is None:
        milliseconds = bounds.number(headers.get("retry-after-ms"))
        value = headers.get("retry-after") if milliseconds is None else milliseconds / 1000
        seconds = bounds.wait_seconds(value)
    if resets_at is None:
        resets_at = bounds.moment(_date(headers.get("retry-after")))
    sent_at = bounds.moment(_date(headers.get("date")))
    if resets_at is not None and sent_at is not None and resets_at - sent_at > bounds.MAX_WAIT_SECONDS:
        resets_at = None
    if seconds is None and resets_at is not None and sent_at is not None:
        seconds = max(resets_at - sent_at, 0.0)
    if seconds is None:
        seconds = _parse_message(error.get("message"))
    return seconds, resets_at


def _date(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError, TypeError):
        return None


def _parse_message(message: Any) -> float | None:
    value = _TRY_AGAIN.search(message[:MAX_MESSAGE_CHARS]) if isinstance(message, str) else None
    if value is None:
        return None
    parts = re.findall(_PART, value[1], re.IGNORECASE)
    return bounds.wait_seconds(sum(float(count) * _UNIT_SECONDS[unit.lower()] for count, unit in parts))

"""
JSON as upstreams write it: strict first, then what a strict parser refuses and others send.

Read on the second try: lone halves of surrogate pairs, raw control characters inside strings,
NaN and Infinity (they become null), numbers beyond 64 bits, bytes that are not UTF-8 (U+FFFD).
What comes out can be written again, once `without_surrogates` has been through it.

Source: https://www.rfc-editor.org/rfc/rfc8259#section-8.2 (unpaired surrogates: unpredictable)
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

MAX_LEVELS = 200  # orjson writes 254, and a translation may wrap what it was given
MIN_DEEP_BYTES = 2 * MAX_LEVELS  # a text with more levels than that is longer
REPLACEMENT = "\ufffd"

_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_INTEGER, _MIN_INTEGER = 2**64 - 1, -(2**63)  # what orjson writes
_MAX_DIGITS = 4000  # Python refuses to read more than 4,300; such a number is infinite


def loads(data: bytes) -> Any:
    """Return the value of *data*, ready to be written again. Raises ValueError when it is not JSON."""
    value, _ = loads_and_compare(data)
    return value


def loads_and_compare(data: bytes) -> tuple[Any, bool]:
    """Return (the value of *data*, whether a strict parser reads it as well). Raises ValueError."""
    try:
        value, is_strict = orjson.loads(data), True
    except orjson.JSONDecodeError:
        value, is_strict = loads_tolerantly(data), False
    if is_too_deep(data, value):
        raise ValueError("nested too deeply")
    return (value if is_strict else without_surrogates(value)), is_strict


def loads_tolerantly(data: bytes) -> Any:
    """
    Return the value of *data*, whose strings may have lone surrogates. Raises ValueError.

    Only for what orjson has refused: it costs ten times as much.
    """
    try:
        return _DECODER.decode(data.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_too_deep(data: bytes, value: Any) -> bool:
    """Return whether *value*, read from *data*, could be read but not be written again."""
    if len(data) <= MIN_DEEP_BYTES or data.count(b"{") + data.count(b"[") <= MAX_LEVELS:
        return False
    level = [value]
    for _ in range(MAX_LEVELS + 1):
        level = [
            inner
            for outer in level
            if type(outer) in (dict, list)
            for inner in (outer.values() if type(outer) is dict else outer)
        ]
        if not level:
            return False
    return True


def without_surrogates(value: Any) -> Any:
    """Return a copy of *value* with U+FFFD in the place of each lone surrogate, keys included."""
    return _mapped(value, lambda text: _SURROGATE.sub(REPLACEMENT, text))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, change) for inner in value]
    return value


def _integer(text: str) -> int | float | None:
    if len(text) > _MAX_DIGITS:
        return None
    number = int(text)
    return number if _MIN_INTEGER <= number <= _MAX_INTEGER else _number(text)


def _number(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


_DECODER = json.JSONDecoder(
    strict=False, parse_int=_integer, parse_float=_number, parse_constant=lambda _: None
)

"""
Parse the JSON of upstreams: strictly first, then leniently.

The lenient parser accepts lone surrogates, raw control characters inside strings, NaN and
Infinity (as null), numbers beyond 64 bits, and bytes that are not UTF-8 (as U+FFFD). Its
results can be encoded after `without_surrogates`.

Source: https://www.rfc-editor.org/rfc/rfc8259#section-8.2 (unpaired surrogates: unpredictable)
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

MAX_LEVELS = 200  # orjson writes 254, and a translation may add some
MIN_DEEP_BYTES = 2 * MAX_LEVELS  # the minimum length of a text with more levels
REPLACEMENT = "\ufffd"

_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_INTEGER, _MIN_INTEGER = 2**64 - 1, -(2**63)  # what orjson writes
_MAX_DIGITS = 4000  # Python refuses more than 4,300; a longer number becomes null


def loads(data: bytes) -> Any:
    """Return the value of *data*, which orjson can encode. Raises ValueError if it is not JSON."""
    value, _ = loads_and_compare(data)
    return value


def loads_and_compare(data: bytes) -> tuple[Any, bool]:
    """Return (the value of *data*, whether it is strict JSON). Raises ValueError."""
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

    Only for JSON that orjson has refused: it costs ten times as much.
    """
    try:
        return _DECODER.decode(data.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_too_deep(data: bytes, value: Any) -> bool:
    """Return whether *value*, parsed from *data*, is nested too deeply to be encoded."""
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
    """Return a copy of *value* with U+FFFD for each lone surrogate, also in keys."""
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

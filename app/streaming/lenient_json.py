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

MAX_LEVELS = 200  # orjson writes at most 254 levels, and a translation may add some
MIN_DEEP_BYTES = 2 * MAX_LEVELS  # no shorter text has more levels

# Bounds of the work of one parse, during which no other greenlet runs. Brackets, colons and commas in strings
# count as well: the longest response of text has a tenth of that, and Base64 has none.
COUNTED_FROM_BYTES = 256 * 1024  # shorter JSON is always parsed within some milliseconds
COUNTED_AT_ONCE_BYTES = 4 * 1024 * 1024  # counted in one piece, 20 ms
MAX_CONTAINERS = 200_000  # arrays and objects
MAX_MEMBERS = 400_000  # members of objects
MAX_SEPARATORS = 8_000_000  # OpenAI's largest list of embeddings has 6.3 million numbers
MAX_LENIENT_BYTES = 4 * 1024 * 1024
MAX_LENIENT_VALUES = 100_000
REPLACEMENT = "\ufffd"

_CONTAINERS = frozenset((dict, list))
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_INTEGER, _MIN_INTEGER = 2**64 - 1, -(2**63)  # the range that orjson writes
_MAX_DIGITS = 4000  # Python refuses more than 4,300; a longer number becomes null


def loads(data: bytes) -> Any:
    """Return the value of *data*, which orjson can encode. Raises ValueError if it is not JSON."""
    value, _ = loads_and_compare(data)
    return value


def no_pause() -> None: ...


def loads_and_compare(data: bytes, pause: Callable[[], None] = no_pause) -> tuple[Any, bool]:
    """
    Return (the value of *data*, whether it is strict JSON). Raises ValueError.

    *pause* is called during the work on large data: other requests may run then.
    """
    if has_too_many_values(data, pause):
        raise ValueError("too many values")
    try:
        value, is_strict = orjson.loads(data), True
    except orjson.JSONDecodeError:
        value, is_strict = loads_tolerantly(data), False
    if len(data) > COUNTED_FROM_BYTES:
        pause()
    if is_too_deep(data, value):
        raise ValueError("nested too deeply")
    return (value if is_strict else without_surrogates(value)), is_strict


def loads_tolerantly(data: bytes) -> Any:
    """
    Return the value of *data*, whose strings may have lone surrogates. Raises ValueError.

    Only for JSON that orjson has refused: it costs ten times as much.
    """
    if len(data) > MAX_LENIENT_BYTES or _containers(data) + data.count(b",") > MAX_LENIENT_VALUES:
        raise ValueError("too large to be parsed leniently")
    try:
        return _DECODER.decode(data.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def has_too_many_values(data: bytes, pause: Callable[[], None] = no_pause) -> bool:
    """Return whether *data* may have more values than are parsed without delaying other requests."""
    if len(data) <= COUNTED_FROM_BYTES:
        return False
    containers = members = separators = 0
    for start in range(0, len(data), COUNTED_AT_ONCE_BYTES):
        piece = data[start : start + COUNTED_AT_ONCE_BYTES]
        containers += _containers(piece)
        members += piece.count(b":")
        separators += piece.count(b",")
        if containers > MAX_CONTAINERS or members > MAX_MEMBERS or separators > MAX_SEPARATORS:
            return True
        pause()
    return False


def _containers(data: bytes) -> int:
    return data.count(b"{") + data.count(b"[")


def is_too_deep(data: bytes, value: Any) -> bool:
    """Return whether *value*, parsed from *data*, is nested too deeply to be encoded."""
    if len(data) <= MIN_DEEP_BYTES or _containers(data) <= MAX_LEVELS:
        return False
    return exceeds_levels(value)


def exceeds_levels(value: Any) -> bool:
    """Return whether *value* has more than `MAX_LEVELS`: it was parsed but might not be encodable."""
    level: list[Any] = [value] if type(value) in _CONTAINERS else []
    for _ in range(MAX_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
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

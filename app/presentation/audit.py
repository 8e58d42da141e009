"""Entries of the audit log in words: money in dollars, times as dates, limits as they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from app.formatting import exact_dollars, moment
from app.limits.limit_syntax import format_limit
from app.limits.prices import FLEX, PRIORITY, STANDARD
from app.stores.records.limits import Limit

MAX_CHARS = 300  # of one value
_EMPTY: tuple[object, ...] = ("", None, [], {})
_TIERS = (STANDARD, FLEX, PRIORITY)  # of a price: micro-dollars per million tokens, by kind of token


def describe_changes(entry: Mapping[str, Any], arrow: str) -> Iterator[str]:
    """
    Yield a line for each field that the change of *entry* set.

    A field that had a value before is shown as `<before> <arrow> <after>`.
    """
    before, after = entry["before"] or {}, entry["after"] or {}
    for name in {**before, **after}:
        if entry["before"] is None or entry["after"] is None:
            value = after.get(name, before.get(name))
            if value not in _EMPTY:
                yield f"{name}: {_describe(name, value)}"
        else:
            yield f"{name}: {_describe(name, before.get(name))} {arrow} {_describe(name, after.get(name))}"


def _describe(name: str, value: object) -> str:
    return (_in_words(name, value) or _as_stored(value))[:MAX_CHARS]


def _in_words(name: str, value: object) -> str | None:
    """Return the text of a value whose unit people do not read; None where it is as good as stored."""
    if name == "limits" and isinstance(value, list):
        return ", ".join(map(_describe_limit, value))
    if name in _TIERS and isinstance(value, Mapping):
        rates = ", ".join(f"{kind} {exact_dollars(rate)}" for kind, rate in value.items())
        return f"{rates} per million tokens"
    if name.endswith(("_at", "_until")) and isinstance(value, int | float) and value > 0:
        return moment(value)
    return None


def _describe_limit(stored: Mapping[str, Any]) -> str:
    try:
        return format_limit(Limit.from_json(stored))
    except (KeyError, ValueError):  # of another version
        return _as_stored(stored)


def _as_stored(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()

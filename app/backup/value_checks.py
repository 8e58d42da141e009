"""Checks of texts and numbers that all kinds of stored keys in a backup use."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from app.stores.sealed_values import FERNET_BEGINS

LARGEST = 2**53  # the doubles of the scripts are exact up to here
LARGEST_TOTAL = 2**63 - 1  # Redis itself adds to totals
LATEST_MS = 253_402_300_799_999  # the end of the year 9999: earlier versions accepted any date
MAX_TEXT = 4096  # bytes, as for a text argument of a script (lua/check.lua)
_ENTRY_ID = re.compile(r"\d{1,15}-\d{1,15}", re.ASCII)
_ID = re.compile(r"[!-~]{1,256}", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}")


class Unfit(Exception):
    """A value that Poolgate would not store; *message* is the predicate of a sentence about it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def check_text(value: Any, what: str, min_chars: int = 1) -> None:
    """Raise Unfit unless *value* is a short text, of any characters (as in models and reasons)."""
    if not isinstance(value, str) or not min_chars <= len(value.encode()) <= MAX_TEXT:
        raise Unfit(f"{what} must be a text of {min_chars} to {MAX_TEXT} bytes")


def check_integer(value: Any, what: str, minimum: int, maximum: int) -> None:
    """Raise Unfit unless *value* is an integer from *minimum* to *maximum*."""
    if type(value) is not int or not minimum <= value <= maximum:
        raise Unfit(f"{what} must be a whole number from {minimum} to {maximum}")


def integer_in(text: Any) -> int | None:
    """Return *text* as an integer, None if it is none."""
    is_number = isinstance(text, str) and len(text) <= 20 and re.fullmatch(r"-?\d+", text, re.ASCII)
    return int(text) if is_number else None


def is_position(text: Any) -> bool:
    """Return whether *text* is the id of an entry, or 0-0."""
    return isinstance(text, str) and _ENTRY_ID.fullmatch(text) is not None


def integral(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def check_figure(row: Mapping[str, Any], name: str) -> None:
    if row.get(name) is not None:
        check_integer(integral(row[name]), name, -LARGEST, LARGEST)


def check_plain(value: Any, what: str) -> None:
    if not isinstance(value, str):
        raise Unfit(f"{what} must be a text")


def check_hash(value: Any) -> None:
    if not isinstance(value, dict) or not value:
        raise Unfit("must have fields")
    for name, text in value.items():
        check_text(name, "the name of a field")
        check_plain(text, "a field")


def number(text: Any, what: str = "a score") -> float:
    try:
        return float(text) if len(text) <= 64 else math.nan
    except (TypeError, ValueError):
        raise Unfit(f"{what} must be a number") from None


def check_present(fields: Mapping[str, str], *names: str) -> None:
    for name in names:
        if name not in fields:
            raise Unfit(f"has no {name}")


def check_finite(fields: Mapping[str, str], names: tuple[str, ...]) -> None:
    for name in names:
        if fields.get(name) and not -LARGEST <= number(fields[name], name) <= LARGEST:
            raise Unfit(f"{name} must be a number up to 2^53")


def check_json(text: Any, what: str, kind: type) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, kind):
        raise Unfit(f"{what} must be JSON, {'a list' if kind is list else 'an object'}")
    return value


def check_id(text: Any, what: str) -> None:
    if not isinstance(text, str) or _ID.fullmatch(text) is None:
        raise Unfit(f"{what} must be 1 to 256 printable ASCII characters without spaces")


def is_clear(secret: str) -> bool:
    """Return whether *secret* is decrypted; if not, another key encrypted it, and it was copied as it is."""
    return secret != "" and not secret.startswith(FERNET_BEGINS)


def check_attribution(row: Mapping[str, Any]) -> None:
    """Check the owner and the labels of a ledger entry or a refusal, if it has them."""
    check_text(row.get("owner", ""), "owner", min_chars=0)
    labels = row.get("labels", {})
    if not isinstance(labels, dict):
        raise Unfit("labels must be an object")
    for name, value in labels.items():
        check_text(name, "the name of a label")
        check_text(value, "a label")

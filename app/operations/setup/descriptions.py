"""Descriptions of the changes of a set-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson

from app.operations.setup.changes import Action, PlannedChange

MAX_VALUE_CHARS = 300
SECTIONS = {  # the noun for an object of a section
    "settings": "settings",
    "limits": "limits of the pool",
    "prices": "price",
    "accounts": "account",
    "models": "model route",
    "teams": "team",
    "keys": "API key",
    "webhooks": "webhook",
}


def title(change: PlannedChange) -> str:
    """Return the object of *change*: `account 'main'`."""
    return f"{SECTIONS[change.section]} '{change.name}'" if change.name else SECTIONS[change.section]


def describe(change: PlannedChange, arrow: str) -> Iterator[str]:
    """Yield a line for each field that *change* sets: `<name>: <before> <arrow> <after>`."""
    for name, difference in change.differences.items():
        after = _text(difference["after"])
        is_new = change.action is Action.ADD
        before = "" if is_new else f"{_text(difference['before'])} {arrow} "
        yield f"{name}: {before}{after}"


def _text(value: Any) -> str:
    """Return *value* as the document has it; `none` for one that is not set."""
    if value is None or value in ("", [], {}):
        return "none"
    text = str(value)
    if not isinstance(value, str):
        with suppress(TypeError):
            text = orjson.dumps(value).decode()
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"

"""
What goes into a ledger row, and so into a log line and the roll-ups: bounded, whatever it is made from.

Its numbers and texts were bounded where they were read; here nothing else gets in.
"""

from __future__ import annotations

import math
from typing import Any

from schemas.bounds import MAX_COST, MAX_TEXT_CHARS

MAX_ATTEMPTS = 64  # of one request, in its row


def bounded_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return *row* with every text cut, every number clamped, and without what is neither."""
    found = {}
    for name, value in row.items():
        kind = type(value)
        if (kind is int and -MAX_COST <= value <= MAX_COST) or (kind is str and len(value) <= MAX_TEXT_CHARS):
            found[name] = value  # nearly all are
        elif (bounded := _bounded(value)) is not None:
            found[name] = bounded
    return found


def charged_at_bound(settlement: dict[str, Any]) -> dict[str, Any]:
    """Return what settle.lua books at the bounds that the request was admitted with: no figure is in it."""
    row = bounded_row(settlement["row"])
    kept = ("id", "at_ms", "key", "account", "model", "endpoint", "status", "total_ms")
    row = {name: row[name] for name in kept if name in row}
    row |= {"source": "estimated", "error": "settlement_unreadable"}
    return {"id": settlement["id"], "row": row, "at_bound": True, "calendar": settlement.get("calendar", {})}


def _bounded(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        return value if -MAX_COST <= value <= MAX_COST else (MAX_COST if value > 0 else -MAX_COST)
    if kind is str:
        return value if len(value) <= MAX_TEXT_CHARS else value[:MAX_TEXT_CHARS]
    if kind is bool:
        return value
    if kind is float:
        return max(-float(MAX_COST), min(float(MAX_COST), value)) if math.isfinite(value) else None
    if kind is list:
        return [found for one in value[:MAX_ATTEMPTS] if (found := _bounded(one)) is not None]
    if kind is dict:
        return bounded_row(value)
    return str(value)[:MAX_TEXT_CHARS] if isinstance(value, str) else None  # an enum of texts

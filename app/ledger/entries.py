"""
Bounds for the rows of ledger entries, and thus for log lines and roll-ups.

Numbers and texts are bounded when they are read; this is the second line of defence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from app.stores.records.ledger import UsageSource
from app.stores.records.settlement import SettlementJson
from schemas.bounds import MAX_COST, MAX_TEXT_CHARS

MAX_ATTEMPTS = 64  # of one request
Row = TypeVar("Row", bound=Mapping[str, Any])


def bound_row(row: Row) -> Row:
    """Return *row* with texts truncated, numbers clamped, and values of other types left out."""
    bounded_fields = {}
    for name, value in row.items():
        kind = type(value)
        if (kind is int and -MAX_COST <= value <= MAX_COST) or (kind is str and len(value) <= MAX_TEXT_CHARS):
            bounded_fields[name] = value  # the usual case
        elif (bounded := _bounded(value)) is not None:
            bounded_fields[name] = bounded
    return bounded_fields  # type: ignore[return-value]  # the fields of *row*, and their types


def without_figures(settlement: SettlementJson) -> dict[str, Any]:
    """Return *settlement* without figures, so that settle.lua charges the request's upper bound."""
    row: Mapping[str, Any] = bound_row(settlement["row"])
    retained = (
        *("id", "at_ms", "key", "account", "model", "endpoint", "status", "total_ms"),
        *("team", "owner", "labels"),
    )
    row = {name: row[name] for name in retained if name in row} | {
        "source": UsageSource.ESTIMATED.value,
        "error": "settlement_unreadable",
    }
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
        return [item for raw in value[:MAX_ATTEMPTS] if (item := _bounded(raw)) is not None]
    if kind is dict:
        return bound_row(value)
    return str(value)[:MAX_TEXT_CHARS] if isinstance(value, str) else None  # a member of an enum

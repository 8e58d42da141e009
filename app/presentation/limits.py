"""Limits with their usage, as JSON."""

from __future__ import annotations

from typing import TypedDict

from app.limits.limit_syntax import format_limit
from app.stores.records.limits import LimitStatus


class LimitStatusJson(TypedDict):
    """A limit and its usage; amounts of cost are micro-dollars, `resets_at` is in Unix seconds."""

    id: str
    limit: str
    what: str
    per: str
    max: int
    mode: str
    scope: str
    model: str | None
    settled: int
    held: int
    remaining: int
    resets_at: int | None


def serialize_limit_status(status: LimitStatus) -> LimitStatusJson:
    """Return a limit and its usage."""
    limit = status.limit
    return {
        "id": limit.id,
        "limit": format_limit(limit),
        "what": limit.unit,
        "per": limit.period,
        "max": limit.max,
        "mode": limit.mode,
        "scope": limit.scope,
        "model": limit.model,
        "settled": status.settled,
        "held": status.held,
        "remaining": status.remaining,
        "resets_at": status.resets_at,
    }

"""Writes refusals as a gateway process does."""

from __future__ import annotations

import secrets

from app.stores.records.refusals import RefusalBatch, RefusalGroup
from app.stores.refusals import RefusalRepository


def record_refusals(refusals: RefusalRepository, pool: str, *groups: RefusalGroup, age_ms: int = 0) -> None:
    """Record *groups*, each of which began *age_ms* ago."""
    now_ms = max((group.first_at_ms for group in groups), default=0) + age_ms
    refusals.record(pool, RefusalBatch(secrets.token_hex(8), 1, groups), now_ms)

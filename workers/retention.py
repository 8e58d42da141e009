"""Removes ledger entries and refusals that are older than their pool retains them."""

from __future__ import annotations

import structlog

from app.ledger.retention import DAY_SECONDS
from app.wiring import Services

log = structlog.get_logger()

EVERY_SECONDS = 3600.0


def run(services: Services, now: float) -> None:
    """Remove old entries from the ledger of every pool, as of *now*."""
    for pool in services.pools.all():
        keep_days = pool.effective.keep_days
        services.ledger.refusals.trim(pool.name, int(now) - keep_days * DAY_SECONDS)
        if removed := services.ledger.retention.trim(pool.name, keep_days, now):
            log.info("ledger_trimmed", pool=pool.name, rows=removed, keep_days=keep_days)

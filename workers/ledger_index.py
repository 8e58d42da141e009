"""Extends the index of each pool's ledger, by which requests are searched."""

from __future__ import annotations

from app.wiring import Services

EVERY_SECONDS = 5.0


def run(services: Services, now: float) -> None:
    """Remove what retention has removed from the index of every pool, and index its new entries."""
    for pool in services.pools.names():
        services.ledger.index.trim(pool)
        services.ledger.index.extend(pool)

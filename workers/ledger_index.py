"""Extends the index of each pool's ledger, which searches of requests use."""

from __future__ import annotations

from app.wiring import Services

EVERY_SECONDS = 5.0


def run(services: Services, now: float) -> None:
    """In every pool, remove index blocks whose entries retention has removed, and index new entries."""
    for pool in services.pools.names():
        services.ledger.index.trim(pool)
        services.ledger.index.extend(pool)

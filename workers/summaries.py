"""Prepares summaries and measurements of past minutes, hours and days, so that charts load immediately."""

from __future__ import annotations

from app.wiring import Services

EVERY_SECONDS = 30.0


def run(services: Services, now: float) -> None:
    """Compute missing ones in every pool, by the store's clock."""
    for pool in services.pools.names():
        services.ledger.series.make(pool)

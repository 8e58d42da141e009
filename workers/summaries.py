"""Prepares summaries of past hours, so that charts of a busy pool load at once."""

from __future__ import annotations

from app.wiring import Services

EVERY_SECONDS = 30.0


def run(services: Services, now: float) -> None:
    """Make the summaries that are missing, in every pool; by the store's clock."""
    for pool in services.pools.names():
        services.ledger.series.make(pool)

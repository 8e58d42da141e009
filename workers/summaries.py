"""Add up what is over before anybody asks, so that charts of a busy pool are there at once."""

from __future__ import annotations

from app.wiring import Services

EVERY_SECONDS = 30.0


def run(services: Services, now: float) -> None:
    """Make the summaries that are missing, in every pool; it is the store's clock that says what is over."""
    for pool in services.pools.names():
        services.ledger.series.make(pool)

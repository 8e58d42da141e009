"""Take back what nobody renews, also where no request comes by to do it."""

from __future__ import annotations

from app.wiring import Services

EVERY_SECONDS = 10.0  # a dead worker's slots show as free within 40 s: the lease's 30 and this


def run(services: Services, now: float) -> None:
    """Expire the overdue leases of every pool; it is the store's clock that says which are."""
    for pool in services.pools.names():
        services.active.sweep(pool)

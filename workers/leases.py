"""Expires leases that are no longer renewed, also in pools without requests."""

from __future__ import annotations

from app.stores.admissions import AdmissionRepository
from app.wiring import Services

EVERY_SECONDS = 10.0  # a dead worker's slots are free within 40 s: the 30 s of a lease, and this


def run(services: Services, now: float) -> None:
    """Expire the overdue leases of every pool, by the store's clock."""
    admissions, ttl_ms = (
        AdmissionRepository(services.scripts),
        int(services.settings.lease_ttl_seconds * 1000),
    )
    for pool in services.pools.names():
        admissions.renew(pool, ttl_ms)

"""
What is wrong with an installation, and how to mend it: one function per question.

Each check asks the store a few times; none looks through all of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.errors import StoreUnavailable
from app.office import check_host, check_pools, check_redis
from app.office.finding import NOTE, WRONG, Finding
from app.stores import embedded

if TYPE_CHECKING:
    from app.wiring import Services

__all__ = ["NOTE", "WRONG", "Finding", "check_store", "checkup"]


def check_store(services: Services) -> Iterator[Finding]:
    """Yield what is wrong with the store. Raises StoreUnavailable."""
    return check_redis.redis(services.scripts.client, services.settings.store_timeout_seconds)


def checkup(services: Services, pool: str | None) -> list[Finding]:
    """Return everything found, in *pool* or in all; nothing: all is well."""
    settings, client = services.settings, services.scripts.client
    found = [
        *check_host.disk(settings.home),
        *check_host.secret_file(settings.home / "secret.key"),
        *check_host.spool(settings.home / "spool"),
    ]
    if settings.redis_url == embedded.url(settings.home):
        found += check_host.repairs(settings.home, time.time())
    try:
        found += check_store(services)
        found += check_host.jobs(client)
        found += check_pools.pools(services, pool)
    except StoreUnavailable:
        mend = "start it, or set REDIS_URL to where it is"
        found.append(Finding(WRONG, check_redis.WHERE, "it does not answer", mend))
    return found

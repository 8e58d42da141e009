"""
What is wrong with an installation, and how to mend it: one function per question.

Each check asks the store a few times; none looks through all of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.config import Settings
from app.operations import check_host, check_pools, check_redis
from app.operations.diagnostic import NOTE, WRONG, Finding
from app.stores import private_server

if TYPE_CHECKING:
    from app.wiring import Services

__all__ = ["NOTE", "STORE_FIX", "WRONG", "Finding", "check_machine", "check_store", "checkup"]

STORE_FIX = "start it, or set REDIS_URL to where it is"


def check_store(services: Services) -> Iterator[Finding]:
    """Yield what is wrong with the store. Raises StoreUnavailable."""
    return check_redis.redis(services.scripts.client, services.settings.store_timeout_seconds)


def check_machine(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with this machine, and what was repaired on it; needs no store."""
    yield from check_host.disk(settings.home)
    yield from check_host.secret_file(settings.home / "secret.key")
    yield from check_host.spool(settings.home / "spool")
    yield from check_host.dead_letters(settings.home)
    if settings.redis_url in ("", private_server.url(settings.home)):
        yield from check_host.repairs(settings.home, time.time())


def checkup(services: Services, pool: str | None) -> list[Finding]:
    """Return everything found, in *pool* or in all; nothing: all is well. Raises StoreUnavailable."""
    return [
        *check_machine(services.settings),
        *check_store(services),
        *check_host.jobs(services.scripts.client),
        *check_pools.pools(services, pool),
        *check_pools.old_keys(services),
    ]

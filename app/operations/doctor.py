"""Check an installation: `poolgate doctor`, the overview page and the admin API's health."""

from __future__ import annotations

import time
from collections.abc import Iterator

from app.config import Settings
from app.operations import check_accounts, check_host, check_operators, check_pools, check_redis
from app.operations.check_stores import CheckStores
from app.operations.diagnostic import Diagnostic
from app.operations.pool_limits import PoolLimits, read_pool_limits
from app.operations.stored_accounts import read_account
from app.stores import private_server


class Doctor:
    """All checks. Each takes a few round trips to the store; none reads the entire store."""

    def __init__(self, settings: Settings, stores: CheckStores) -> None:
        self._settings = settings
        self._stores = stores

    def check_store(self) -> Iterator[Diagnostic]:
        """Yield the problems of the Redis server, and its last outage. Raises StoreUnavailable."""
        health = self._stores.health
        yield from check_redis.check_redis(health, self._settings.store_timeout_seconds)
        if not _runs_own_server(self._settings):  # its repairs are findings of this machine
            yield from check_redis.check_outage(health)

    def read_limits(self, pool: str) -> PoolLimits:
        """Read the keys and limits of *pool*, which `check` takes. Raises StoreUnavailable."""
        return read_pool_limits(self._stores, pool)

    def check(self, pool: str | None = None, limits: PoolLimits | None = None) -> list[Diagnostic]:
        """
        Return every finding, in *pool* or in all pools.

        *limits* are those of *pool*, if the caller has read them for other purposes, too. Raises
        StoreUnavailable.
        """
        return [
            *check_machine(self._settings),
            *self.check_store(),
            *check_host.check_jobs(self._stores.health),
            *check_pools.check_pools(self._stores, pool, limits),
            *check_pools.check_secret_keys(self._stores),
            *check_operators.check_operators(self._stores),
        ]

    def check_account(self, pool: str, account_id: str) -> list[Diagnostic]:
        """Return the findings about one account, besides its state. Raises StoreUnavailable."""
        record = read_account(self._stores, pool, account_id)
        return [*check_accounts.check_account(pool, record, self._stores.health.now())] if record else []


def _runs_own_server(settings: Settings) -> bool:
    """Return whether the gateway itself runs the Redis server."""
    return settings.redis_url in ("", private_server.url(settings.home))


def check_machine(settings: Settings) -> Iterator[Diagnostic]:
    """Yield the problems of this machine, and recent repairs on it; needs no store."""
    yield from check_host.check_disk(settings.home)
    yield from check_host.check_secret_file(settings.home / "secret.key")
    yield from check_host.check_spool(settings.home / "spool")
    yield from check_host.check_dead_letters(settings.home)
    if _runs_own_server(settings):
        yield from check_host.check_repairs(settings.home, time.time())

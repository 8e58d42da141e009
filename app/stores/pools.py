"""Read and change the stored records of pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.stores import keys
from app.stores.records.pools import StoredPool
from app.stores.scripts import Scripts


class PoolHashes:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._client = scripts.client

    def ensure(self, pool: str) -> None:
        """Create *pool* if it does not exist. One round trip if it exists."""
        if self._scripts.run("ensure_pool", pool) == 1:
            self._client.sadd(keys.POOLS, pool)

    def exists(self, pool: str) -> bool:
        """Return whether *pool* exists."""
        return bool(self._client.exists(keys.pool(pool)))

    def names(self) -> list[str]:
        """Return the names of all pools, sorted."""
        return sorted(self._client.smembers(keys.POOLS))

    def settings_text(self, pool: str) -> str:
        """Return the settings of *pool* as stored JSON; '' for the defaults."""
        return self._client.hget(keys.pool(pool), "settings") or ""

    def read_all(self, names: Sequence[str]) -> list[StoredPool]:
        """Return the pools called *names*. One round trip."""
        pipeline = self._client.pipeline(transaction=False)
        for name in names:
            pipeline.hmget(keys.pool(name), "policy", "zone", "settings")
            pipeline.hlen(keys.account_names(name))
            pipeline.hlen(keys.key_names(name))
        replies = iter(pipeline.execute())
        return [
            StoredPool(name, policy or "", zone or "", settings or "", accounts, api_keys)
            for name, (policy, zone, settings), accounts, api_keys in zip(
                names, replies, replies, replies, strict=True
            )
        ]

    def change(self, pool: str, fields: Mapping[str, str], previous_settings: str) -> bool:
        """Store *fields*, unless the settings are no longer *previous_settings*: then return False."""
        request = {"fields": dict(fields), "was": previous_settings}
        return bool(self._scripts.run_raw("set_pool", pool, request))

"""A hash of a pool whose version is returned by authentication, so that processes read it once per change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.stores import keys
from app.stores.records.versions import NONE_SET
from app.stores.scripts import Scripts


class VersionedHash:
    """Texts by pool and name. The field *version_field* of the pool's record counts the changes."""

    def __init__(self, scripts: Scripts, version_field: str, key_of: Callable[[str], str]) -> None:
        """*key_of* returns the Redis key of the hash of a pool."""
        self._client: Any = scripts.client
        self._version_field = version_field
        self._key_of = key_of

    def read(self, pool: str) -> tuple[str, dict[str, str]]:
        """Return the version of *pool*, and its texts by name. One round trip."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hget(keys.pool(pool), self._version_field)
        pipeline.hgetall(self._key_of(pool))
        version, texts = pipeline.execute()
        return version or NONE_SET, texts

    def put(self, pool: str, name: str, text: str | bytes) -> None:
        """Set the text of *name*."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hset(self._key_of(pool), name, text)
        pipeline.hincrby(keys.pool(pool), self._version_field, 1)
        pipeline.execute()

    def add(self, pool: str, name: str, text: str | bytes) -> bool:
        """Set the text of *name* unless it has one; return whether it was set."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hsetnx(self._key_of(pool), name, text)
        pipeline.hincrby(keys.pool(pool), self._version_field, 1)
        added: int = pipeline.execute()[0]
        return added > 0

    def remove(self, pool: str, name: str) -> bool:
        """Remove the text of *name*; return whether there was one."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hdel(self._key_of(pool), name)
        pipeline.hincrby(keys.pool(pool), self._version_field, 1)
        removed: int = pipeline.execute()[0]
        return removed > 0

"""The prices that pools set themselves, in Redis."""

from __future__ import annotations

import orjson

from app.stores import keys
from app.stores.records.prices import PriceRow, StoredPrices
from app.stores.scripts import Scripts
from app.stores.versioned_hash import VersionedHash


class PriceRepository:
    """Price rows by pool and model; a change takes effect with the next request."""

    def __init__(self, scripts: Scripts) -> None:
        self._hash = VersionedHash(scripts, "prices", keys.prices)

    def read(self, pool: str) -> StoredPrices:
        """Return the rows of *pool*. One round trip."""
        version, rows = self._hash.read(pool)
        return StoredPrices(version, {model: orjson.loads(row) for model, row in rows.items()})

    def put(self, pool: str, model: str, row: PriceRow) -> None:
        """Set the price of *model*."""
        self._hash.put(pool, model, orjson.dumps(row))

    def add(self, pool: str, model: str, row: PriceRow) -> bool:
        """Set the price of *model* unless the pool has one; return whether it was set."""
        return self._hash.add(pool, model, orjson.dumps(row))

    def remove(self, pool: str, model: str) -> bool:
        """Remove the pool's price of *model*; return whether there was one."""
        return self._hash.remove(pool, model)

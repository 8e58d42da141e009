"""The prices that pools set themselves, in Redis."""

from __future__ import annotations

from typing import Any

import orjson

from app.stores import keys
from app.stores.records.prices import NONE_SET, PriceRow, StoredPrices
from app.stores.scripts import Scripts


class PriceRepository:
    """Price rows by pool and model; a change takes effect with the next request."""

    def __init__(self, scripts: Scripts) -> None:
        self._client: Any = scripts.client

    def read(self, pool: str) -> StoredPrices:
        """Return the rows of *pool*. One round trip."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hget(keys.pool(pool), "prices")
        pipeline.hgetall(keys.prices(pool))
        version, rows = pipeline.execute()
        return StoredPrices(version or NONE_SET, {model: orjson.loads(row) for model, row in rows.items()})

    def put(self, pool: str, model: str, row: PriceRow) -> None:
        """Set the price of *model*."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hset(keys.prices(pool), model, orjson.dumps(row))
        pipeline.hincrby(keys.pool(pool), "prices", 1)
        pipeline.execute()

    def remove(self, pool: str, model: str) -> bool:
        """Remove the pool's price of *model*; return whether there was one."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hdel(keys.prices(pool), model)
        pipeline.hincrby(keys.pool(pool), "prices", 1)
        removed: int = pipeline.execute()[0]
        return removed > 0

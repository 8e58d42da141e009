"""
Prices as one pool sees them: the shipped table, and over it the rows that its owner has set.

A request learns from its authentication which version of the pool's rows holds, so a process
reads them once per change and a request never waits for them.
"""

from __future__ import annotations

from typing import Any

import orjson

from app.limits.prices import PriceTable, shipped
from app.stores import keys
from app.stores.scripts import Scripts

NONE_SET = "0"


class PriceRepository:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._shipped = shipped()
        self._tables: dict[str, tuple[str, PriceTable]] = {}

    def table(self, pool: str, version: str) -> PriceTable:
        """Return the prices of *pool*, as of *version* or newer."""
        if version == NONE_SET:
            return self._shipped
        known = self._tables.get(pool)
        if known is None or int(known[0]) < int(version):
            known = self._tables[pool] = self._read(pool)
        return known[1]

    def current(self, pool: str) -> PriceTable:
        """Return the prices of *pool* as they are now. One round trip."""
        return self._read(pool)[1]

    def _read(self, pool: str) -> tuple[str, PriceTable]:
        pipeline = self._scripts.client.pipeline(transaction=True)
        pipeline.hget(keys.pool(pool), "prices")
        pipeline.hgetall(keys.prices(pool))
        version, rows = pipeline.execute()
        own = {model: orjson.loads(row) for model, row in rows.items()}
        return version or NONE_SET, self._shipped.over(own, f"pool-{version or NONE_SET}")

    def put(self, pool: str, model: str, row: dict[str, Any]) -> None:
        """Price *model* by *row* (as in prices.json) from the next request on."""
        pipeline = self._scripts.client.pipeline(transaction=True)
        pipeline.hset(keys.prices(pool), model, orjson.dumps(row))
        pipeline.hincrby(keys.pool(pool), "prices", 1)
        pipeline.execute()

    def remove(self, pool: str, model: str) -> bool:
        """Go back to the shipped price of *model*; say whether it had one of its own."""
        pipeline = self._scripts.client.pipeline(transaction=True)
        pipeline.hdel(keys.prices(pool), model)
        pipeline.hincrby(keys.pool(pool), "prices", 1)
        removed: int = pipeline.execute()[0]
        return removed > 0

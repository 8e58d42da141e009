"""Prices of a pool: the shipped table, overridden by the rows that the pool sets."""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import InvalidRequest
from app.limits.prices import PriceTable, load_shipped_prices
from app.stores.pool_tables import PoolTables
from app.stores.prices import PriceRepository
from app.stores.records.prices import PriceRow
from schemas.bounds import MAX_OWN_PRICES


class PoolPrices(PoolTables[PriceTable]):
    """Price tables by pool, cached in this process. One round trip after each change."""

    def __init__(self, prices: PriceRepository) -> None:
        super().__init__(load_shipped_prices())
        self._prices = prices

    def own(self, pool: str) -> Mapping[str, PriceRow]:
        """Return the rows that *pool* sets itself, by model. One round trip."""
        return self._prices.read(pool).rows

    def put(self, pool: str, model: str, row: PriceRow) -> None:
        """Set the price of *model*; takes effect with the next request."""
        self._prices.put(pool, model, row)

    def add(self, pool: str, model: str, row: PriceRow) -> bool:
        """Set the price of *model* unless *pool* has one; return whether it was set."""
        return self._prices.add(pool, model, row)

    def check_room(self, pool: str, model: str) -> None:
        """Raise InvalidRequest if *pool* has no room for a price of *model*."""
        rows = self._prices.read(pool).rows
        if model not in rows and len(rows) >= MAX_OWN_PRICES:
            raise InvalidRequest(f"A pool has at most {MAX_OWN_PRICES} prices of its own", param="model")

    def remove(self, pool: str, model: str) -> bool:
        """Remove the pool's price of *model*; return whether there was one."""
        return self._prices.remove(pool, model)

    def _read(self, pool: str) -> tuple[str, PriceTable]:
        stored = self._prices.read(pool)
        return stored.version, self._unset.with_overrides(stored.rows, f"pool-{stored.version}")

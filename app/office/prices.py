"""What operators say models cost in a pool."""

from __future__ import annotations

from typing import Any

from app.office.base import Noun


class Prices(Noun):
    def set_price(self, pool: str, model: str, row: dict[str, Any]) -> dict[str, Any]:
        """Price *model* by *row* (as in prices.json) from the next request on; return it as listed."""
        self._ensure(pool)
        with self._change("price.set", pool, model) as change:
            change.before = self._parts.prices.current(pool).rows().get(model)
            self._parts.prices.put(pool, model, row)
            after = self._parts.prices.current(pool).rows()[model]
            change.after = after
        return after

    def remove_price(self, pool: str, model: str) -> bool:
        """Go back to the listed price of *model*; say whether the pool had one of its own."""
        before = self._parts.prices.current(pool).rows().get(model)
        with self._change("price.remove", pool, model) as change:
            removed = self._parts.prices.remove(pool, model)
            change.before, change.after = before, self._parts.prices.current(pool).rows().get(model)
        return removed

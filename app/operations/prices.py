"""What operators say models cost in a pool."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.errors import InvalidRequest
from app.limits.prices import MILLION, STANDARD
from app.operations.base import AuditedOperations
from schemas.admin import MAX_DOLLARS

RATES = ("input", "output", "cached_input")


def micro_dollars(dollars: Decimal, param: str | None = None) -> int:
    """Return US dollars for a million tokens in millionths. Raises InvalidRequest."""
    amount = dollars * MILLION
    if not 0 <= amount <= MAX_DOLLARS * MILLION or amount != int(amount):
        raise InvalidRequest(
            f"A price is between 0 and {MAX_DOLLARS} and ends at the sixth decimal", param=param
        )
    return int(amount)


def price_row(known: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a row for prices.json of what was *said*: RATES in micro-dollars, `context`, `max_output`, `image`.

    Of its bounds, those that were not said stay as *known*.
    """
    row: dict[str, Any] = {name: known[name] for name in ("context", "max_output", "image") if name in known}
    row |= {name: said[name] for name in ("context", "max_output") if said.get(name) is not None}
    if said.get("image") is not None:
        row["image"] = [said["image"]] * 3
    return {STANDARD: {name: said[name] for name in RATES if said.get(name) is not None}, **row}


class Prices(AuditedOperations):
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

"""Set the prices of models in a pool."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.errors import InvalidRequest
from app.limits.pool_prices import PoolPrices
from app.limits.prices import MILLION, STANDARD
from app.operations.audit_trail import AuditedOperations, AuditTrail
from schemas.admin import MAX_DOLLARS
from schemas.bounds import name_error

RATES = ("input", "output", "cached_input")
_BOUNDS = ("context", "max_output", "image")


def micro_dollars(dollars: Decimal, param: str | None = None) -> int:
    """Convert a price in US dollars per million tokens to micro-dollars. Raises InvalidRequest."""
    try:
        amount = dollars * MILLION
        is_exact = 0 <= amount <= MAX_DOLLARS * MILLION and amount == int(amount)
    except ArithmeticError:  # NaN, or an exponent that is too large for Decimal
        is_exact = False
    if not is_exact:
        raise InvalidRequest(
            f"A price is between 0 and {MAX_DOLLARS} and ends at the sixth decimal", param=param
        )
    return int(amount)


def price_row(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a row in the form of prices.json with the RATES in *changes*, in micro-dollars.

    `context`, `max_output` and `image` stay as in *stored* if they are not in *changes*.
    """
    row: dict[str, Any] = {name: stored[name] for name in _BOUNDS if name in stored}
    row |= {name: changes[name] for name in ("context", "max_output") if changes.get(name) is not None}
    if changes.get("image") is not None:
        row["image"] = [changes["image"]] * 3
    return {STANDARD: {name: changes[name] for name in RATES if changes.get(name) is not None}, **row}


class PriceOperations(AuditedOperations):
    def __init__(self, audit: AuditTrail, prices: PoolPrices) -> None:
        super().__init__(audit)
        self._prices = prices

    def set(self, pool: str, model: str, row: dict[str, Any]) -> dict[str, Any]:
        """
        Set the price of *model* to *row* (as in prices.json) from the next request on; return it as listed.

        Raises InvalidRequest for a name that no model can have, and for too many rows.
        """
        self._check_name(pool, model)
        with self._audit.change("price.set", pool, model) as change:
            change.before = self._listed(pool, model)
            self._prices.put(pool, model, row)
            after = self._prices.current(pool).rows()[model]
            change.after = after
        return after

    def add(self, pool: str, model: str, row: dict[str, Any]) -> None:
        """Like `set` for a new price. Raises InvalidRequest also if the pool has one, which stays."""
        self._check_name(pool, model)
        with self._audit.change("price.set", pool, model) as change:
            change.before = self._listed(pool, model)
            if not self._prices.add(pool, model, row):
                raise InvalidRequest(f"Pool '{pool}' has a price of '{model}'", param="model")
            change.after = self._listed(pool, model)

    def remove(self, pool: str, model: str) -> bool:
        """Remove the pool's price of *model*; return whether there was one."""
        before = self._listed(pool, model)
        with self._audit.change("price.remove", pool, model) as change:
            is_removed = self._prices.remove(pool, model)
            change.before, change.after = before, self._listed(pool, model)
        return is_removed

    def _check_name(self, pool: str, model: str) -> None:
        """Raise InvalidRequest if *model* cannot have a price; create *pool* if it does not exist."""
        if error := name_error(model):
            raise InvalidRequest(f"The name of a model {error}", param="model")
        self._audit.ensure_pool(pool)
        self._prices.check_room(pool, model)

    def _listed(self, pool: str, model: str) -> dict[str, Any] | None:
        """Return the price of *model* that applies in *pool*, its own or the shipped one."""
        return self._prices.current(pool).rows().get(model)

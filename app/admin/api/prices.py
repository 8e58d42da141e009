"""Prices of models: the public list, overridden by a pool's own."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, Response

from app.admin.api import inputs as asking
from app.admin.api.inputs import answer, checked_pool, listed
from app.admin.guard import operations
from app.admin.services import services
from app.operations.prices import RATES, micro_dollars, price_row
from schemas.admin import PriceInput, PricesQuery

bp = Blueprint("prices", __name__, url_prefix="/prices")

PRICE_INPUT, PRICES_QUERY = PriceInput(), PricesQuery()


@bp.get("")
def index() -> Response:
    """List prices, in micro-dollars per million tokens. `version` names the list they come from."""
    said = asking.query(PRICES_QUERY)
    rows = services().prices.current(checked_pool(said["pool"])).rows()
    begins = said.get("model", "")
    return listed([{"model": name, **row} for name, row in sorted(rows.items()) if name.startswith(begins)])


@bp.put("/<path:model>")
def put(model: str) -> Response:
    """Set the price of a model in this pool, in US dollars per million tokens."""
    pool, said = asking.pool(must_be=False), asking.body(PRICE_INPUT)
    said |= {name: micro_dollars(Decimal(str(said[name])), name) for name in RATES if name in said}
    known = services().prices.current(pool).rows().get(model, {})
    return answer({"model": model, **operations().prices.set(pool, model, price_row(known, said))})


@bp.delete("/<path:model>")
def remove(model: str) -> Response:
    """Remove this pool's own price. The public list applies again."""
    return answer({"model": model, "deleted": operations().prices.remove(asking.pool(), model)})

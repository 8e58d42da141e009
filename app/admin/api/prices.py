"""Prices of models: the public list, and a pool's own prices, which override it."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import checked_pool, json_response, list_response
from app.admin.guard import operations
from app.admin.services import services
from app.operations.prices import RATES, micro_dollars, price_row
from schemas.admin import PriceInput, PricesQuery

bp = Blueprint("prices", __name__, url_prefix="/prices")

PRICE_INPUT, PRICES_QUERY = PriceInput(), PricesQuery()


@bp.get("")
def index() -> Response:
    """List prices, in micro-dollars per million tokens. `version` names the list they come from."""
    params = inputs.query(PRICES_QUERY)
    rows = services().prices.current(checked_pool(params["pool"])).rows()
    prefix = params.get("model", "")
    return list_response(
        [{"model": name, **row} for name, row in sorted(rows.items()) if name.startswith(prefix)]
    )


@bp.put("/<path:model>")
def put(model: str) -> Response:
    """Set the price of a model in this pool, in US dollars per million tokens."""
    pool, fields = inputs.pool(must_exist=False), inputs.body(PRICE_INPUT)
    fields |= {name: micro_dollars(Decimal(str(fields[name])), name) for name in RATES if name in fields}
    known = services().prices.current(pool).rows().get(model, {})
    return json_response({"model": model, **operations().prices.set(pool, model, price_row(known, fields))})


@bp.delete("/<path:model>")
def remove(model: str) -> Response:
    """Remove this pool's own price. The public list applies again."""
    return json_response({"model": model, "deleted": operations().prices.remove(inputs.pool(), model)})

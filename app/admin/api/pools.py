"""Pools: their settings, and the limits that all of their keys share."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import checked_pool, json_response, list_response
from app.admin.api.limits import serialize_limits
from app.admin.guard import operations
from app.admin.services import services
from app.operations.pools import setting_steps
from schemas.admin import PoolChange, PoolInput

bp = Blueprint("pools", __name__, url_prefix="/pools")

POOL_INPUT, POOL_CHANGE = PoolInput(), PoolChange()


@bp.get("")
def index() -> Response:
    """List pools by name."""
    inputs.query(inputs.NO_QUERY)
    return list_response([pool.public() for pool in services().pools.all()])


@bp.post("")
def create() -> Response:
    """Create a pool."""
    fields = inputs.body(POOL_INPUT)
    name = checked_pool(fields.pop("name"), must_exist=False)
    created = operations().pools.create(name, **fields)
    return json_response(created.public(), 201)


@bp.get("/<pool>")
def show(pool: str) -> Response:
    """Get a pool, with the usage of its limits."""
    return _pool_response(checked_pool(pool))


@bp.patch("/<pool>")
def change(pool: str) -> Response:
    """Change the given settings of a pool."""
    fields = inputs.body(POOL_CHANGE)
    operations().pools.change(
        checked_pool(pool),
        policy=fields.get("policy"),
        zone=fields.get("zone"),
        steps=list(setting_steps(fields)),
    )
    return _pool_response(pool)


def _pool_response(pool: str) -> Response:
    limits = serialize_limits(pool, services().limits.all(pool))
    return json_response(operations().pools.read(pool).public() | {"limits": limits})

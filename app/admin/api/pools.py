"""Pools: their settings, and the limits that all of their keys share."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response

from app.accounts.settings import FLAGS, NUMBERS, with_flag, with_number, with_time_limit
from app.admin.api import inputs
from app.admin.api.inputs import answer, checked_pool, listed
from app.admin.api.serializers import standing
from app.admin.guard import operations
from app.admin.services import services
from schemas.admin import NoQuery, PoolChange, PoolInput

bp = Blueprint("pools", __name__, url_prefix="/pools")

NO_QUERY, POOL_INPUT, POOL_CHANGE = NoQuery(), PoolInput(), PoolChange()


@bp.get("")
def index() -> Response:
    """List pools by name."""
    inputs.query(NO_QUERY)
    return listed([one.public() for one in services().pools.all()])


@bp.post("")
def create() -> Response:
    """Create a pool."""
    said = inputs.body(POOL_INPUT)
    name = checked_pool(said.pop("name"), must_be=False)
    made = operations().pools.create(name, **said)
    return answer(made.public(), 201)


@bp.get("/<pool>")
def show(pool: str) -> Response:
    """Get a pool, with the usage of its limits."""
    return _told(checked_pool(pool))


@bp.patch("/<pool>")
def change(pool: str) -> Response:
    """Change the given settings of a pool."""
    said = inputs.body(POOL_CHANGE)
    operations().pools.change(
        checked_pool(pool), policy=said.get("policy"), zone=said.get("zone"), steps=list(_steps(said))
    )
    return _told(pool)


def _steps(said: dict[str, Any]) -> Any:
    for pattern, limits in said.get("time_limits", {}).items():
        for name, seconds in limits.items():
            yield partial(with_time_limit, pattern=pattern, name=name, seconds=seconds)
    for name in said.keys() & set(FLAGS):
        yield partial(with_flag, name=name, value=said[name])
    for name in NUMBERS.keys() & said.keys():
        yield partial(with_number, name=name, value=said[name])


def _told(pool: str) -> Response:
    found = services()
    limits = standing(found, pool, found.limits.all(pool))
    return answer(operations().pools.read(pool).public() | {"limits": limits})

"""Limits of a key, `/keys/<name>/limits`, and of a pool, `/pools/<pool>/limits`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import answer, checked_pool, deleted, listed, operations
from app.admin.api.serializers import standing
from app.admin.services import services
from app.limits.limit import parse_limit
from app.limits.limits import FOR_POOL, Limit
from schemas.admin import LimitInput

bp = Blueprint("limits", __name__)

LIMIT_INPUT = LimitInput()


@bp.get("/keys/<name>/limits")
def of_key(name: str) -> Response:
    """The limits of one key, as they stand."""
    return _listed(inputs.pool(), name)


@bp.get("/pools/<pool>/limits")
def of_pool(pool: str) -> Response:
    """The limits of a whole pool, as they stand."""
    return _listed(checked_pool(pool), None)


@bp.post("/keys/<name>/limits")
def add_to_key(name: str) -> Response:
    """Give a key one more limit; what its window has seen counts already."""
    return _added(inputs.pool(), name)


@bp.post("/pools/<pool>/limits")
def add_to_pool(pool: str) -> Response:
    """Give a pool one more limit; what its window has seen counts already."""
    return _added(checked_pool(pool), None)


@bp.patch("/keys/<name>/limits/<limit_id>")
def edit_of_key(name: str, limit_id: str) -> Response:
    """Give a limit of a key another number or mode; its counter goes on."""
    return _edited(inputs.pool(), name, limit_id)


@bp.patch("/pools/<pool>/limits/<limit_id>")
def edit_of_pool(pool: str, limit_id: str) -> Response:
    """Give a limit of a pool another number or mode; its counter goes on."""
    return _edited(checked_pool(pool), None, limit_id)


@bp.delete("/keys/<name>/limits/<limit_id>")
def remove_of_key(name: str, limit_id: str) -> Response:
    """Remove a limit of a key, and what it has counted."""
    operations().remove_limit(inputs.pool(), limit_id, key=name)
    return deleted(limit_id)


@bp.delete("/pools/<pool>/limits/<limit_id>")
def remove_of_pool(pool: str, limit_id: str) -> Response:
    """Remove a limit of a pool, and what it has counted."""
    operations().remove_limit(checked_pool(pool), limit_id)
    return deleted(limit_id)


def _listed(pool: str, key: str | None) -> Response:
    found = services()
    owner = FOR_POOL if key is None else found.api_keys.find(pool, key).id
    return listed(standing(found, pool, found.limits.all(pool, owner)))


def _said() -> Limit:
    said: dict[str, Any] = inputs.body(LIMIT_INPUT)
    return parse_limit(said["limit"], model=said.get("model"), mode=said.get("mode", "strict"))


def _added(pool: str, key: str | None) -> Response:
    added = operations().add_limit(pool, _said(), key=key)
    return answer(standing(services(), pool, [added])[0], 201)


def _edited(pool: str, key: str | None, limit_id: str) -> Response:
    edited = operations().edit_limit(pool, limit_id, _said(), key=key)
    return answer(standing(services(), pool, [edited])[0])

"""Limits of a key, `/keys/<name>/limits`, and of a pool, `/pools/<pool>/limits`."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import answer, checked_pool, deleted, listed
from app.admin.api.serializers import standing
from app.admin.guard import operations
from app.admin.services import services
from app.limits.limit_syntax import parse_limit
from app.stores.limits import FOR_POOL
from app.stores.records.limits import Limit
from schemas.admin import LimitInput

bp = Blueprint("limits", __name__)

LIMIT_INPUT = LimitInput()


@bp.get("/keys/<name>/limits")
def of_key(name: str) -> Response:
    """List the limits of a key, with their usage."""
    return _listed(inputs.pool(), name)


@bp.get("/pools/<pool>/limits")
def of_pool(pool: str) -> Response:
    """List the limits of a pool, with their usage."""
    return _listed(checked_pool(pool), None)


@bp.post("/keys/<name>/limits")
def add_to_key(name: str) -> Response:
    """Add a limit to a key. Usage earlier in the current window counts."""
    return _added(inputs.pool(), name)


@bp.post("/pools/<pool>/limits")
def add_to_pool(pool: str) -> Response:
    """Add a limit to a pool. Usage earlier in the current window counts."""
    return _added(checked_pool(pool), None)


@bp.patch("/keys/<name>/limits/<limit_id>")
def edit_of_key(name: str, limit_id: str) -> Response:
    """Change the amount or mode of a limit of a key. Its counted usage stays."""
    return _edited(inputs.pool(), name, limit_id)


@bp.patch("/pools/<pool>/limits/<limit_id>")
def edit_of_pool(pool: str, limit_id: str) -> Response:
    """Change the amount or mode of a limit of a pool. Its counted usage stays."""
    return _edited(checked_pool(pool), None, limit_id)


@bp.delete("/keys/<name>/limits/<limit_id>")
def remove_of_key(name: str, limit_id: str) -> Response:
    """Remove a limit of a key and its counted usage."""
    operations().limits.remove(inputs.pool(), limit_id, key=name)
    return deleted(limit_id)


@bp.delete("/pools/<pool>/limits/<limit_id>")
def remove_of_pool(pool: str, limit_id: str) -> Response:
    """Remove a limit of a pool and its counted usage."""
    operations().limits.remove(checked_pool(pool), limit_id)
    return deleted(limit_id)


def _listed(pool: str, key: str | None) -> Response:
    found = services()
    owner = FOR_POOL if key is None else found.api_keys.find(pool, key).id
    return listed(standing(found, pool, found.limits.all(pool, owner)))


def _said() -> Limit:
    said: dict[str, Any] = inputs.body(LIMIT_INPUT)
    return parse_limit(said["limit"], model=said.get("model"), mode=said.get("mode", "strict"))


def _added(pool: str, key: str | None) -> Response:
    added = operations().limits.add(pool, _said(), key=key)
    return answer(standing(services(), pool, [added])[0], 201)


def _edited(pool: str, key: str | None, limit_id: str) -> Response:
    edited = operations().limits.change(pool, limit_id, _said(), key=key)
    return answer(standing(services(), pool, [edited])[0])

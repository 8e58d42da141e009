"""Limits of keys, teams and pools: under `/keys/<name>`, `/teams/<name>` and `/pools/<pool>`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import checked_pool, deleted_response, json_response, list_response
from app.admin.guard import operations
from app.admin.services import services
from app.limits.limit_syntax import parse_limit
from app.operations.limits import was_there
from app.presentation.limits import LimitStatusJson, serialize_limit_status
from app.stores.limits import FOR_POOL, for_team
from app.stores.records.limits import Limit
from schemas.admin import LimitInput

bp = Blueprint("limits", __name__)

LIMIT_INPUT = LimitInput()


@bp.get("/keys/<name>/limits")
def of_key(name: str) -> Response:
    """List the limits of a key, with their usage."""
    return _list_response(inputs.pool(), name)


@bp.get("/teams/<name>/limits")
def of_team(name: str) -> Response:
    """List the limits of a team, with their usage."""
    return _list_response(inputs.pool(), None, name)


@bp.get("/pools/<pool>/limits")
def of_pool(pool: str) -> Response:
    """List the limits of a pool, with their usage."""
    return _list_response(checked_pool(pool), None)


@bp.post("/keys/<name>/limits")
def add_to_key(name: str) -> Response:
    """
    Add a limit to a key. Usage since the start of its current window counts. `warnings` are sentences.

    If the key has the same limit, the response is that limit with a warning, and nothing is changed.
    """
    return _add(inputs.pool(), name)


@bp.post("/teams/<name>/limits")
def add_to_team(name: str) -> Response:
    """Add a limit to a team. Usage since the start of its current window counts."""
    return _add(inputs.pool(), None, name)


@bp.post("/pools/<pool>/limits")
def add_to_pool(pool: str) -> Response:
    """Add a limit to a pool. Usage since the start of its current window counts."""
    return _add(checked_pool(pool), None)


@bp.patch("/keys/<name>/limits/<limit_id>")
def edit_of_key(name: str, limit_id: str) -> Response:
    """Change the amount or mode of a limit of a key. Its counted usage stays."""
    return _edit(inputs.pool(), name, limit_id)


@bp.patch("/teams/<name>/limits/<limit_id>")
def edit_of_team(name: str, limit_id: str) -> Response:
    """Change the amount or mode of a limit of a team. Its counted usage stays."""
    return _edit(inputs.pool(), None, limit_id, name)


@bp.patch("/pools/<pool>/limits/<limit_id>")
def edit_of_pool(pool: str, limit_id: str) -> Response:
    """Change the amount or mode of a limit of a pool. Its counted usage stays."""
    return _edit(checked_pool(pool), None, limit_id)


@bp.delete("/keys/<name>/limits/<limit_id>")
def remove_of_key(name: str, limit_id: str) -> Response:
    """Remove a limit of a key and its counted usage."""
    operations().limits.remove(inputs.pool(), limit_id, key=name)
    return deleted_response(limit_id)


@bp.delete("/teams/<name>/limits/<limit_id>")
def remove_of_team(name: str, limit_id: str) -> Response:
    """Remove a limit of a team and its counted usage."""
    operations().limits.remove(inputs.pool(), limit_id, team=name)
    return deleted_response(limit_id)


@bp.delete("/pools/<pool>/limits/<limit_id>")
def remove_of_pool(pool: str, limit_id: str) -> Response:
    """Remove a limit of a pool and its counted usage."""
    operations().limits.remove(checked_pool(pool), limit_id)
    return deleted_response(limit_id)


def _list_response(pool: str, key: str | None, team: str | None = None) -> Response:
    limits = services().limits.all(pool, _owner_id(pool, key, team))
    return list_response(serialize_limits(pool, limits))


def _owner_id(pool: str, key: str | None, team: str | None = None) -> str:
    """
    Return the owner's id as `LimitRepository` takes it: of a key, a team, else the pool. Raises NotFound.
    """
    if team is not None:
        return for_team(services().teams.find(pool, team).name)
    return FOR_POOL if key is None else services().api_keys.find(pool, key).id


def serialize_limits(pool: str, limits: Sequence[Limit]) -> list[LimitStatusJson]:
    """Return *limits* of *pool* with their usage; two round trips."""
    return [serialize_limit_status(status) for status in services().ledger.usage.limit_statuses(pool, limits)]


def _read_limit() -> Limit:
    fields: dict[str, Any] = inputs.body(LIMIT_INPUT)
    return parse_limit(fields["limit"], model=fields.get("model"), mode=fields.get("mode", "strict"))


def _add(pool: str, key: str | None, team: str | None = None) -> Response:
    read = _read_limit()
    added = operations().limits.add(pool, read, key=key, team=team)
    if was_there(read, added):
        warnings = ["there was this limit already, and nothing was changed"]
    else:
        warnings = operations().limits.find_warnings(pool, added, key=key, team=team)
    return json_response({**serialize_limits(pool, [added])[0], "warnings": warnings}, 201)


def _edit(pool: str, key: str | None, limit_id: str, team: str | None = None) -> Response:
    edited = operations().limits.change(pool, limit_id, _read_limit(), key=key, team=team)
    return json_response(serialize_limits(pool, [edited])[0])

"""Model routes: names that callers use for one or more models; and what a name resolves to."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import checked_pool, deleted_response, json_response, list_response
from app.admin.guard import operations
from app.admin.services import services
from app.presentation.model_routes import resolve, serialize_route
from app.presentation.names import Names
from schemas.admin import ResolutionQuery
from schemas.model_routes import RouteInput

bp = Blueprint("routes", __name__, url_prefix="/model-routes")
resolution_bp = Blueprint("resolution", __name__, url_prefix="/model-resolution")

ROUTE_INPUT, RESOLUTION_QUERY = RouteInput(), ResolutionQuery()


def _names(pool: str) -> Names:
    return Names.read(pool, services().api_keys, services().accounts)


@bp.get("")
def index() -> Response:
    """List the model routes of a pool; a name with `*` is a pattern."""
    pool = inputs.pool()
    names = _names(pool)
    return list_response([serialize_route(route, names) for route in services().routes.all(pool).values()])


@bp.get("/<path:name>")
def show(name: str) -> Response:
    """Get a model route."""
    pool = inputs.pool()
    route = services().routes.find(pool, name)
    return json_response(serialize_route(route, _names(pool)))


@bp.put("/<path:name>")
def put(name: str) -> Response:
    """
    Create or replace a model route. `accounts` are names; an empty list means any account.

    `warnings` in the response are sentences.
    """
    pool, fields = inputs.pool(must_exist=False), inputs.body(ROUTE_INPUT)
    route = operations().routes.set(pool, name, fields)
    view = serialize_route(route, _names(pool))
    return json_response({**view, "warnings": operations().routes.find_warnings(pool, route)})


@bp.delete("/<path:name>")
def remove(name: str) -> Response:
    """Remove a model route. From the next request on, its name is taken as the name of a model."""
    operations().routes.remove(inputs.pool(), name)
    return deleted_response(name)


@resolution_bp.get("/<path:name>")
def show_resolution(name: str) -> Response:
    """
    Resolve a name: the exact route applies, else the longest matching pattern, else the name is a model.
    """
    params = inputs.query(RESOLUTION_QUERY)
    pool = checked_pool(params["pool"])
    key = services().api_keys.find(pool, params["key"]) if params.get("key") else None
    names = _names(pool)
    return json_response(resolve(services().routes.current(pool), name, names, key))

"""What every page of a pool shares: its address, the frame around it, and how its failures look."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, flash, g, redirect, request, session, url_for

from app.accounts.pools import DEFAULT
from app.admin.pages import formatting
from app.admin.services import services
from app.errors import NotFound

PREFIX = "/admin/p/<pool>"
PLACES = (
    ("overview.show", "Overview"),
    ("accounts.show", "Accounts"),
    ("api_keys.show", "Keys"),
    ("requests.show", "Requests"),
    ("settings.show", "Settings"),
)
_of_pools: set[str] = set()  # names of the blueprints whose addresses name a pool


def page_blueprint(name: str, under: str = "") -> Blueprint:
    """Return a blueprint for pages of one pool, whose name their views find in `g.pool`."""
    blueprint = Blueprint(name, __name__, url_prefix=PREFIX + under)
    _of_pools.add(name)
    blueprint.url_value_preprocessor(_take_pool)
    blueprint.before_request(_find_pool)
    return blueprint


def dress(app: Flask) -> None:
    """Give the templates of *app* what they share."""
    app.context_processor(_frame)
    app.url_defaults(_same_pool)
    app.jinja_env.filters.update(formatting.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def done(message: str, endpoint: str, **values: Any) -> Any:
    """Lead to another page, which says *message* once."""
    flash(message)
    return redirect(url_for(endpoint, **values), 303)


def base_url() -> str:
    """Return where clients find the gateway: beside these pages, unless these have a port of their own."""
    settings = services().settings
    if settings.admin_port is None:
        return f"{request.host_url}v1"
    return f"{request.scheme}://{request.host.rpartition(':')[0] or request.host}:{settings.port}/v1"


def _take_pool(endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.pool = (values or {}).pop("pool", DEFAULT)


def _find_pool() -> None:
    g.pools = services().pools.names() or [DEFAULT]
    if g.pool not in (*g.pools, DEFAULT):
        name, g.pool = g.pool, DEFAULT
        raise NotFound(f"There is no pool named '{name[:40]}'")
    if session.get("pool") != g.pool:
        session["pool"] = g.pool


def present_pool() -> str:
    """Return the pool that this page is of; of a page without one, the pool that was looked at last."""
    pool: str = g.get("pool") or session.get("pool") or DEFAULT
    return pool


def _same_pool(endpoint: str, values: dict[str, Any]) -> None:
    """Links stay in the pool they are on."""
    if endpoint.partition(".")[0] in _of_pools:
        values.setdefault("pool", present_pool())


def _frame() -> dict[str, Any]:
    return {"pool": present_pool(), "pools": g.get("pools", [DEFAULT]), "places": PLACES}

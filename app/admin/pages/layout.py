"""The layout of the pages of a pool: their URLs, navigation, pool switch, and redirects with a notice."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, flash, g, redirect, request, session, url_for

from app.accounts.pools import DEFAULT
from app.admin.current_pool import current_pool
from app.admin.pages import clock, formatting, lists, sparks
from app.admin.services import services
from app.errors import NotFound
from app.suggestions import suggestion

PREFIX = "/admin/p/<pool>"
SECTIONS = (
    ("overview.show", "Overview"),
    ("usage.show", "Usage"),
    ("accounts.show", "Accounts"),
    ("api_keys.show", "Keys"),
    ("requests.show", "Requests"),
    ("playground.show", "Playground"),
    ("settings.show", "Settings"),
)
_pool_blueprints: set[str] = set()  # names of the blueprints whose URLs contain the pool


def page_blueprint(name: str, under: str = "") -> Blueprint:
    """Return a blueprint for pages of one pool, whose name is in `g.pool` of their views."""
    blueprint = Blueprint(name, __name__, url_prefix=PREFIX + under)
    _pool_blueprints.add(name)
    blueprint.url_value_preprocessor(_take_pool)
    blueprint.before_request(_find_pool)
    return blueprint


def register_layout(app: Flask) -> None:
    """Register the template context, filters and URL defaults of the pages on *app*."""
    app.context_processor(_layout_context)
    app.url_defaults(_add_pool)
    app.jinja_env.globals.update(
        list_url=lists.list_url,
        active_filters=lists.active_filters,
        without_filters=lists.without_filters,
    )
    register_formatting(app)
    app.jinja_env.globals.update(holder_page=holder_page)


def register_formatting(app: Flask) -> None:
    """Register the template filters that pages of operators and of key holders share."""
    app.jinja_env.filters.update(
        formatting.FILTERS, bar=sparks.bar, share=sparks.share, sparkline=sparks.sparkline
    )
    app.jinja_env.globals.update(zone_name=clock.zone_name)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def redirect_with_notice(message: str, endpoint: str, **values: Any) -> Any:
    """Redirect to *endpoint*, which shows *message* once."""
    flash(message)
    return redirect(url_for(endpoint, **values), 303)


def redirect_with_warning(message: str, endpoint: str, **values: Any) -> Any:
    """Redirect to *endpoint*, which shows *message* once, as a warning."""
    flash(message, "caution")
    return redirect(url_for(endpoint, **values), 303)


def base_url() -> str:
    """Return the base URL of the gateway: on the port of these pages, unless they have their own."""
    settings = services().settings
    if settings.admin_port is None:
        return f"{request.host_url}v1"
    return f"{request.scheme}://{request.host.rpartition(':')[0] or request.host}:{settings.port}/v1"


def holder_page() -> str:
    """Return the address of the page for key holders, '' where it is off."""
    return "" if services().settings.key_page == "off" else f"{base_url().removesuffix('/v1')}/my"


def _take_pool(endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.pool = (values or {}).pop("pool", DEFAULT)


def _find_pool() -> None:
    g.pools = services().pools.names() or [DEFAULT]
    if g.pool not in (*g.pools, DEFAULT):
        name, g.pool = g.pool, DEFAULT
        raise NotFound(f"There is no pool named '{name[:40]}'{suggestion(name, g.pools)}")
    if session.get("pool") != g.pool:
        session["pool"] = g.pool


def _add_pool(endpoint: str, values: dict[str, Any]) -> None:
    """Keep links within the current pool."""
    if endpoint.partition(".")[0] in _pool_blueprints:
        values.setdefault("pool", current_pool())


def _layout_context() -> dict[str, object]:
    return {"pool": current_pool(), "pools": g.get("pools", [DEFAULT]), "sections": SECTIONS}

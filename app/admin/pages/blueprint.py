"""Every page of the dashboard, put together."""

from __future__ import annotations

from flask import Flask

from app.admin.guard import protect
from app.admin.pages import (
    accounts,
    api_keys,
    audit,
    limits,
    live,
    overview,
    prices,
    requests,
    settings,
    sign_ins,
    start,
)
from app.admin.pages.layout import dress

BLUEPRINTS = (
    *(overview.bp, accounts.bp, sign_ins.bp, api_keys.bp, limits.bp),
    *(requests.bp, settings.bp, prices.bp, audit.bp, start.bp, live.bp),
)


def register(app: Flask) -> None:
    """Give *app* every page of the dashboard, none of them without a sign-in."""
    dress(app)
    for blueprint in (*BLUEPRINTS, overview.front_bp):
        protect(blueprint)
        app.register_blueprint(blueprint)

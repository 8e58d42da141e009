"""Registration of all pages."""

from __future__ import annotations

from flask import Flask

from app.admin.guard import protect
from app.admin.pages import (
    accounts,
    api_keys,
    audit,
    bulk_accounts,
    bulk_keys,
    bulk_teams,
    first_steps,
    limit_rows,
    limits,
    live,
    model_routes,
    overview,
    playground,
    prices,
    reference,
    requests,
    settings,
    setup_files,
    sign_ins,
    teams,
    usage,
    webhooks,
)
from app.admin.pages.layout import register_layout

BLUEPRINTS = (
    *(overview.bp, usage.bp, accounts.bp, bulk_accounts.bp, sign_ins.bp, api_keys.bp, bulk_keys.bp),
    *(teams.bp, bulk_teams.bp),
    *(limits.bp, requests.bp, settings.bp, setup_files.bp, prices.bp, model_routes.bp, webhooks.bp),
    *(audit.bp, first_steps.bp, playground.bp, live.bp, reference.bp),
)


def register(app: Flask) -> None:
    """Register every page on *app*, behind authentication."""
    register_layout(app)
    app.jinja_env.globals.update(limit_rows.GLOBALS)
    for blueprint in (*BLUEPRINTS, overview.home_bp):
        protect(blueprint)
        app.register_blueprint(blueprint)

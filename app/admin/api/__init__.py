"""The admin API: JSON under `/admin/api`, for admin tokens and signed-in operators."""

from __future__ import annotations

from flask import Blueprint, Flask

from app.admin.api import (
    accounts,
    api_keys,
    audit,
    health,
    imports,
    limits,
    model_routes,
    openapi,
    operators,
    pools,
    prices,
    requests,
    settings,
    setup,
    sign_ins,
    teams,
    usage,
    webhooks,
)
from app.admin.guard import API_ROOT, protect

PARTS = (
    *(pools.bp, limits.bp, accounts.bp, sign_ins.bp, api_keys.bp, teams.bp, usage.bp),
    *(requests.bp, prices.bp, settings.bp, audit.bp, health.bp, openapi.bp),
    *(webhooks.bp, model_routes.bp, model_routes.resolution_bp),
    *(setup.bp, imports.bp, operators.bp, operators.policy_bp, operators.invitations_bp),
)


def register(app: Flask) -> None:
    """Register every endpoint of the API on *app*, behind authentication."""
    api = Blueprint("api", __name__, url_prefix=API_ROOT)
    protect(api, json=True)
    for part in PARTS:
        api.register_blueprint(part)
    app.register_blueprint(api)

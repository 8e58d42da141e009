"""GET /v1/models and GET /v1/models/{id}: what the pool's accounts really offer to this key."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from app.accounts.account import demo_serves
from app.accounts.kinds import kind_of
from app.api.auth import authenticate, caller
from app.api.codex_catalogue import catalogue_of
from app.api.context import services
from app.api.json import json_response
from app.errors import ModelNotFound

bp = Blueprint("models", __name__)
bp.before_request(authenticate)


@bp.get("/models", strict_slashes=False)
def index() -> Response:
    if "client_version" in request.args:  # the Codex CLI says so, and reads another list
        return catalogue()
    return json_response({"object": "list", "data": _offered()})


@bp.get("/models/<path:model>")
def show(model: str) -> Response:
    for offered in _offered():
        if offered["id"] == model:
            return json_response(offered)
    raise ModelNotFound(f"The model '{model}' does not exist or this API key may not use it", param="model")


def catalogue() -> Response:
    pool = caller().pool
    tell = [account.id for account in services().accounts.all(pool) if kind_of(account).has_catalogue]
    return json_response(catalogue_of(_offered(), services().upstream.metadata.get(pool, "catalogue", tell)))


def _offered() -> list[dict[str, Any]]:
    """Models by name; the first account that has one says who owns it."""
    key = caller()
    found: dict[str, dict[str, Any]] = {}
    accounts = services().accounts.all(key.pool)
    demo = services().demo and demo_serves(accounts)
    for account in accounts:
        if kind_of(account).is_simulated and not demo:
            continue
        if key.accounts and account.id not in key.accounts:
            continue
        for model in filter(key.may_use, account.models or account.listed):
            entry = {"object": "model", "created": account.created_at, "owned_by": account.owned_by}
            if model in account.metadata:
                entry["metadata"] = account.metadata[model]
            found.setdefault(model, {"id": model, **entry})
    return [found[model] for model in sorted(found)]

"""GET /v1/models and GET /v1/models/{id}: what the pool's accounts and model routes offer to this API key."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.accounts.kinds import kind_of
from app.accounts.model_routes import NO_ROUTES
from app.accounts.offered_models import OfferedModel, offered_models
from app.api.auth import authenticate, caller
from app.api.codex_catalogue import catalogue_of
from app.api.context import services
from app.api.json import json_response
from app.errors import ModelNotFound
from app.relay.context import JsonObject
from app.stores.records.versions import NONE_SET

bp = Blueprint("models", __name__)
bp.before_request(authenticate)


@bp.get("/models", strict_slashes=False)
def index() -> Response:
    if "client_version" in request.args:  # sent by the Codex CLI, which reads another format
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
    accounts = [account for account in services().accounts.all(pool) if kind_of(account).has_catalogue]
    reported = services().upstream.metadata.get(pool, "catalogue", [account.id for account in accounts])
    names = {name: own for account in accounts for name, own in account.settings.model_names.items()}
    if names:
        reported += [{name: own[of] for name, of in names.items() if of in own} for own in reported]
    return json_response(catalogue_of(_offered(), reported, websockets=services().websockets.is_on))


def _offered() -> list[JsonObject]:
    key, current = caller(), services()
    routes = NO_ROUTES if key.routes == NONE_SET else current.routes.table(key.pool, key.routes)
    return [
        _entry(model)
        for model in offered_models(key, current.accounts.all(key.pool), routes, demo=current.demo)
    ]


def _entry(model: OfferedModel) -> JsonObject:
    entry = {"id": model.name, "object": "model", "created": model.created, "owned_by": model.owned_by}
    return entry if model.metadata is None else {**entry, "metadata": model.metadata}

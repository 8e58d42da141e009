"""GET /v1/models and GET /v1/models/{id}: what the pool's accounts and model routes offer to this API key."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from flask import Blueprint, Response, request

from app.accounts.account import Account, demo_serves
from app.accounts.kinds import kind_of
from app.api.auth import authenticate, caller
from app.api.codex_catalogue import catalogue_of
from app.api.context import services
from app.api.json import json_response
from app.errors import ModelNotFound
from app.patterns import matches
from app.relay.context import JsonObject
from app.stores.records.api_keys import ApiKey
from app.stores.records.model_routes import RouteTarget
from app.stores.records.versions import NONE_SET

bp = Blueprint("models", __name__)
bp.before_request(authenticate)


@bp.get("/models", strict_slashes=False)
def index() -> Response:
    if "client_version" in request.args:  # the Codex CLI, which reads another format
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
    """Return the entries of models, by name; the first account with a model determines its owner."""
    key = caller()
    entries: dict[str, JsonObject] = {}
    accounts = _usable(key, services().accounts.all(key.pool))
    for account in accounts:
        for model in filter(key.may_use, account.offered_models):
            entry = {"object": "model", "created": account.created_at, "owned_by": account.owned_by}
            if (metadata := account.metadata_of(model)) is not None:
                entry["metadata"] = metadata
            entries.setdefault(model, {"id": model, **entry})
    if key.routes != NONE_SET:
        entries = _routes(key, accounts) | entries
    return [entries[model] for model in sorted(entries)]


def _usable(key: ApiKey, accounts: Sequence[Account]) -> list[Account]:
    """Return those of *accounts*, all of a pool, that may serve *key*, whatever their states."""
    demo = services().demo and demo_serves(accounts)
    return [
        account
        for account in accounts
        if (demo or not kind_of(account).is_simulated) and (not key.accounts or account.id in key.accounts)
    ]


def _routes(key: ApiKey, accounts: Sequence[Account]) -> dict[str, JsonObject]:
    """Return entries of the model routes that *key* may use and *accounts* offer; patterns are no names."""
    routes = services().routes.table(key.pool, key.routes).exact
    return {
        name: {"id": name, "object": "model", "created": 0, "owned_by": "poolgate"}
        for name in filter(key.may_use, routes)
        if any(_offers(account, target) for target in chain(*routes[name].steps) for account in accounts)
    }


def _offers(account: Account, target: RouteTarget) -> bool:
    """Return whether *account* may serve *target*: it offers its model, or its models are not known."""
    if target.accounts and account.id not in target.accounts:
        return False
    offered = account.offered_models
    return not offered or any(matches(name, target.model) for name in offered)

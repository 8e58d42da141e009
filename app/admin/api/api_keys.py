"""API keys. A secret is returned once, by the call that creates it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.bulk import bulk_response
from app.admin.api.inputs import checked_pool, deleted_response, json_response, list_response
from app.admin.api.limits import serialize_limits
from app.admin.guard import operations
from app.admin.services import services
from app.operations.each import unless_equal
from app.operations.key_warnings import rotation_warnings
from app.presentation.api_keys import KeyFilter, key_views
from app.stores.limits import for_team
from app.stores.records.api_keys import ApiKey, ApiKeyJson
from schemas.admin import KeysQuery, Nothing, Rotation
from schemas.api_keys import KeyChange, KeyInput
from schemas.bulk import KeyBulk
from schemas.key_labels import parse_label_filters

bp = Blueprint("keys", __name__, url_prefix="/keys")

KEY_INPUT, KEY_CHANGE, ROTATION, NOTHING = KeyInput(), KeyChange(), Rotation(), Nothing()
KEYS_QUERY, KEY_BULK = KeysQuery(), KeyBulk()


@bp.get("")
def index() -> Response:
    """
    List keys by name, with the usage of their limits.

    `team`, `owner` and `state` are filters; `model` lists the keys that may use that model; `label` is
    `name=value` or `name`, several separated by commas.
    """
    params = inputs.query(KEYS_QUERY)
    pool = checked_pool(params["pool"])
    labels = parse_label_filters(params.get("label", ""))
    texts = {name: params.get(name, "") for name in ("team", "owner", "state", "model")}
    matching = KeyFilter(**texts, labels=labels).select(services().api_keys.all(pool), services().clock.now())
    return list_response(_serialize(pool, matching))


@bp.post("")
def create() -> Response:
    """
    Create a key. `key` in the response is its secret, returned only once; `warnings` are sentences.

    With `sha256`, the hash of a key of another gateway, that key becomes valid here, and `key` is empty.
    """
    pool = inputs.pool(must_exist=False)
    key, secret = operations().api_keys.create(pool, inputs.body(KEY_INPUT))
    warnings = operations().api_keys.find_warnings(pool, key)
    return json_response({"key": secret, **_serialize_key(key), "warnings": warnings}, 201)


@bp.post("/bulk")
def change_several() -> Response:
    """
    Change several keys, and return a result for each: a failure does not stop the others.

    `do` is `disable`, `enable`, `remove`, or `change` with `fields`, which are the same as for one key.
    """
    pool, sent = inputs.pool(), inputs.body(KEY_BULK)
    api_keys, stored = operations().api_keys, partial(services().api_keys.find, pool)
    return bulk_response(
        sent,
        {
            "disable": unless_equal(stored, lambda name: api_keys.disable(pool, name)),
            "enable": unless_equal(stored, lambda name: api_keys.enable(pool, name)),
            "change": unless_equal(stored, lambda name: api_keys.change(pool, name, sent["fields"])),
            "remove": lambda name: api_keys.remove(pool, name),
        },
    )


@bp.get("/<name>")
def show(name: str) -> Response:
    """Get a key, with the usage of its limits, and of those of its team and its pool."""
    app_services, pool = services(), inputs.pool()
    key, limits = app_services.api_keys.find(pool, name), app_services.limits
    of_team = limits.all(pool, for_team(key.team)) if key.team else []
    shared = {
        "team_limits": serialize_limits(pool, of_team),
        "pool_limits": serialize_limits(pool, limits.all(pool)),
    }
    return json_response(_serialize_key(key) | shared)


@bp.patch("/<name>")
def change(name: str) -> Response:
    """
    Change the given fields of a key. Empty `models` or `accounts`: all; `expires` null: never.

    `labels` replace all labels of the key.
    """
    pool = inputs.pool()
    key = operations().api_keys.change(pool, name, inputs.body(KEY_CHANGE))
    return json_response(_serialize_key(key) | {"warnings": operations().api_keys.find_warnings(pool, key)})


@bp.delete("/<name>")
def remove(name: str) -> Response:
    """Remove a key and its limits. Its usage stays in the ledger."""
    operations().api_keys.remove(inputs.pool(), name)
    return deleted_response(name)


@bp.post("/<name>/rotate")
def rotate(name: str) -> Response:
    """Give a key a new secret, returned only once. The old one stays valid for `overlap_seconds`."""
    fields, pool = inputs.body(ROTATION), inputs.pool()
    before = services().api_keys.find(pool, name)
    key, secret = operations().api_keys.rotate(pool, name, fields.get("overlap_seconds", 0))
    warnings = rotation_warnings(before, time.time())
    return json_response({"key": secret, **_serialize_key(key), "warnings": warnings})


@bp.post("/<name>/disable")
def disable(name: str) -> Response:
    """Disable a key. Requests in progress continue."""
    inputs.body(NOTHING)
    return json_response(_serialize_key(operations().api_keys.disable(inputs.pool(), name)))


@bp.post("/<name>/enable")
def enable(name: str) -> Response:
    """Enable a disabled key."""
    inputs.body(NOTHING)
    return json_response(_serialize_key(operations().api_keys.enable(inputs.pool(), name)))


def _serialize(pool: str, api_keys: Sequence[ApiKey]) -> list[ApiKeyJson]:
    app_services = services()
    names, now = app_services.accounts.names_by_id(pool), app_services.clock.now()
    return [view.to_json() for view in key_views(app_services.ledger.usage, pool, api_keys, names, now=now)]


def _serialize_key(key: ApiKey) -> ApiKeyJson:
    return _serialize(key.pool, [key])[0]

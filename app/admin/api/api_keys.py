"""API keys: what callers present. A secret is told once, where it is made."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import answer, deleted, listed, operations
from app.admin.api.serializers import key_shape, standing
from app.admin.services import services
from app.limits.api_keys import ApiKey
from app.operations.key_warnings import rotation_warnings
from app.operations.serializers import serialize_gauge
from schemas.admin import Nothing, Rotation
from schemas.api_keys import KeyChange, KeyInput

bp = Blueprint("keys", __name__, url_prefix="/keys")

KEY_INPUT, KEY_CHANGE, ROTATION, NOTHING = KeyInput(), KeyChange(), Rotation(), Nothing()


@bp.get("")
def index() -> Response:
    """Every key by name, with its limits as they stand."""
    found, pool = services(), inputs.pool()
    keys, names = found.api_keys.all(pool), found.accounts.names_by_id(pool)
    gauges = iter(found.usage.gauges(pool, [limit for key in keys for limit in key.limits]))
    return listed(
        [key_shape(key, names, [serialize_gauge(next(gauges)) for _ in key.limits]) for key in keys]
    )


@bp.post("")
def create() -> Response:
    """Make a key; `key` in the answer is its secret, shown this once. `warnings` are sentences."""
    pool = inputs.pool(must_be=False)
    at_desk = operations()
    key, secret = at_desk.create_key(pool, inputs.body(KEY_INPUT))
    warnings = at_desk.key_warnings(pool, key)
    return answer({"key": secret, **_shape(key), "warnings": warnings}, 201)


@bp.get("/<name>")
def show(name: str) -> Response:
    """One key, with its limits and its pool's as they stand."""
    found, pool = services(), inputs.pool()
    key = found.api_keys.find(pool, name)
    return answer(_shape(key) | {"pool_limits": standing(found, pool, found.limits.all(pool))})


@bp.patch("/<name>")
def change(name: str) -> Response:
    """Change what is given; the rest stays. No models or accounts: all; `expires` null: never."""
    at_desk, pool = operations(), inputs.pool()
    key = at_desk.change_key(pool, name, inputs.body(KEY_CHANGE))
    return answer(_shape(key) | {"warnings": at_desk.key_warnings(pool, key)})


@bp.delete("/<name>")
def remove(name: str) -> Response:
    """Forget a key and its limits; what it used stays in the books."""
    operations().remove_key(inputs.pool(), name)
    return deleted(name)


@bp.post("/<name>/rotate")
def rotate(name: str) -> Response:
    """Give a key a new secret, shown this once; the former one stays good for `overlap_seconds`."""
    said, pool = inputs.body(ROTATION), inputs.pool()
    before = services().api_keys.find(pool, name)
    key, secret = operations().rotate_key(pool, name, said.get("overlap_seconds", 0))
    warnings = rotation_warnings(before, time.time())
    return answer({"key": secret, **_shape(key), "warnings": warnings})


@bp.post("/<name>/disable")
def disable(name: str) -> Response:
    """Refuse a key from now on; requests it has running go on."""
    inputs.body(NOTHING)
    return answer(_shape(operations().disable_key(inputs.pool(), name)))


@bp.post("/<name>/enable")
def enable(name: str) -> Response:
    """Take a disabled key again."""
    inputs.body(NOTHING)
    return answer(_shape(operations().enable_key(inputs.pool(), name)))


def _shape(key: ApiKey) -> dict[str, Any]:
    found = services()
    return key_shape(key, found.accounts.names_by_id(key.pool), standing(found, key.pool, key.limits))

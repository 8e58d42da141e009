"""
Probes. Live: this process answers. Ready: the path of a request works, as far as Redis.

Liveness never depends on Redis: restarting the gateway would not bring it back.
"""

from __future__ import annotations

from flask import Blueprint, Response

from app.api.json import json_response
from app.api.services import services
from app.errors import StoreUnavailable

bp = Blueprint("health", __name__)


@bp.get("/health")
@bp.get("/health/live")
@bp.get("/health/startup")
def live() -> Response:
    return json_response({"status": "ok"})


@bp.get("/health/ready")
def ready() -> Response:
    try:
        services().pools.ensure("default")
    except StoreUnavailable as error:
        return json_response({"status": "unavailable", "reason": error.message}, 503)
    return json_response({"status": "ready"})

"""
Probes. Live: this process answers. Ready: it can serve (app/operations/readiness.py).

Liveness never depends on Redis: restarting the gateway would not restore it.
"""

from __future__ import annotations

from flask import Blueprint, Response

from app.api.context import services
from app.api.json import json_response
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
        reason = services().readiness.reason()
    except StoreUnavailable as error:
        reason = error.message
    if reason:
        return json_response({"status": "unavailable", "reason": reason}, 503)
    return json_response({"status": "ready"})

"""The effective settings of this installation, without secrets."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import json_response
from app.admin.services import services
from app.operations.effective_settings import serialize_settings

bp = Blueprint("settings", __name__, url_prefix="/settings")


@bp.get("")
def show() -> Response:
    """Get the settings of this process. Those of a pool are at `/pools/<pool>`."""
    inputs.query(inputs.NO_QUERY)
    return json_response(serialize_settings(services().settings))

"""The checks of `poolgate doctor`: problems and their remedies."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import checked_pool, list_response
from app.admin.services import services
from app.operations.diagnostic import Level
from schemas.admin import HealthQuery

bp = Blueprint("health", __name__, url_prefix="/health")

HEALTH_QUERY = HealthQuery()


@bp.get("")
def show() -> Response:
    """List the problems of `pool`, or of every pool."""
    pool = inputs.query(HEALTH_QUERY).get("pool")
    if pool is not None:
        checked_pool(pool)
    findings = services().doctor.check(pool)
    return list_response(
        [finding.public() for finding in findings],
        ok=all(finding.level is not Level.WRONG for finding in findings),
    )

"""The audit log."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import list_response
from app.admin.services import services
from schemas.admin import AuditQuery

bp = Blueprint("audit", __name__, url_prefix="/audit")

AUDIT_QUERY = AuditQuery()


@bp.get("")
def index() -> Response:
    """List changes, newest first. `action` is an action such as `key.rotate`, or a noun such as `key`."""
    params = inputs.query(AUDIT_QUERY)
    page = services().audit.page(
        params.get("cursor"),
        most=params["limit"],
        who=params.get("who", ""),
        action=params.get("action", ""),
        pool=params.get("pool", ""),
    )
    return list_response(page.entries, cursor=page.cursor)

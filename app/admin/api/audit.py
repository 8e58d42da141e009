"""The audit log."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import listed
from app.admin.services import services
from schemas.admin import AuditQuery

bp = Blueprint("audit", __name__, url_prefix="/audit")

AUDIT_QUERY = AuditQuery()


@bp.get("")
def index() -> Response:
    """List changes, newest first. `action` is an action such as `key.rotate`, or a noun such as `key`."""
    said = inputs.query(AUDIT_QUERY)
    page = services().audit.page(
        said.get("cursor"),
        most=said["limit"],
        who=said.get("who", ""),
        action=said.get("action", ""),
        pool=said.get("pool", ""),
    )
    return listed(page.entries, cursor=page.cursor)

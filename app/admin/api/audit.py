"""The audit log."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import list_response
from app.admin.services import services
from app.stores.records.audit import AuditFilter
from schemas.admin import AuditQuery

bp = Blueprint("audit", __name__, url_prefix="/audit")

AUDIT_QUERY = AuditQuery()


@bp.get("")
def index() -> Response:
    """List changes, newest first. `action` is an action such as `key.rotate`, or a noun such as `key`."""
    params = inputs.query(AUDIT_QUERY)
    page = services().audit.page(
        params.get("cursor"),
        max_entries=params["limit"],
        matching=AuditFilter(params.get("who", ""), params.get("action", ""), params.get("pool", "")),
    )
    return list_response(page.entries, cursor=page.cursor)

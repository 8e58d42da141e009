"""Page of the audit log: who changed what, and when."""

from __future__ import annotations

from typing import Any

from flask import g, render_template, request, url_for

from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.services import services
from app.presentation.audit import describe_changes
from app.stores.records.audit import AuditFilter

bp = page_blueprint("audit", "/settings/audit")


@bp.get("")
def show() -> Any:
    """List changes to this pool, and to what belongs to no pool."""
    requested: dict[str, Any] = {name: request.args.get(name, "").strip() for name in ("who", "action")}
    page = services().audit.page(request.args.get("cursor"), matching=AuditFilter(**requested))
    entries = [entry for entry in page.entries if entry["pool"] in ("", g.pool)]
    older = url_for("audit.show", cursor=page.cursor, **requested) if page.cursor else ""
    return render_template(
        "settings/audit.html",
        section="settings.show",
        form=Form(requested, *requested),
        entries=[{**entry, "changes": list(describe_changes(entry, "→"))} for entry in entries],
        older=older,
    )

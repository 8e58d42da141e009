"""Page of the audit log: who changed what, and when; also as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, g, render_template, request, url_for

from app.admin.pages.clock import viewer_zone
from app.admin.pages.layout import page_blueprint
from app.admin.pages.lists import Filter, cursor_links
from app.admin.services import services
from app.csv_text import csv_text
from app.formatting import moment
from app.presentation.audit import action_label, describe_changes, field_label
from app.stores.records.audit import AuditFilter

MAX_EXPORTED = 10_000  # entries, the newest
HEADS = ("time", "who", "via", "address", "action", "object", "outcome", "change")
NOUNS = (
    *("account", "alert", "backup", "key", "limit", "model", "operator", "admin_token", "pool", "price"),
    *("session", "team"),
)
VIA = {"cli": "command line", "api": "admin API", "page": "page", "start": "start", "worker": "worker"}

bp = page_blueprint("audit", "/settings/audit")


@bp.get("")
def show() -> Any:
    """List changes to this pool, and changes that belong to no pool."""
    matching = _filter()
    page = services().audit.page(request.args.get("cursor"), matching=matching)
    query: dict[str, Any] = {
        name: request.args[name] for name in ("q", "who", "action") if request.args.get(name)
    }
    return render_template(
        "settings/audit.html",
        section="settings.show",
        filters=[
            Filter("action", "Changed", [(noun, noun.replace("_", " ")) for noun in NOUNS]),
            Filter("who", "Who", [one.name for one in services().operator_stores.operators.all()], free=True),
        ],
        rows=[_view(entry) for entry in page.entries if entry["pool"] in ("", g.pool)],
        pages=cursor_links(page.cursor),
        export=url_for("audit.export", **query),
    )


@bp.get("/export.csv")
def export() -> Response:
    """Return the newest entries that match as CSV, with times in the viewer's time zone."""
    response = Response(csv_text(HEADS, map(_csv_row, _entries(_filter()))), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{g.pool}.csv"'
    return response


def _filter() -> AuditFilter:
    args = {name: request.args.get(name, "").strip() for name in ("who", "action", "q")}
    return AuditFilter(args["who"], args["action"], object_part=args["q"])


def _entries(matching: AuditFilter) -> Iterator[dict[str, Any]]:
    """Yield up to MAX_EXPORTED entries of this pool and of no pool, the newest first."""
    cursor, number = None, 0
    while True:
        page = services().audit.page(cursor, matching=matching)
        for entry in page.entries:
            if entry["pool"] in ("", g.pool):
                yield entry
                number += 1
                if number == MAX_EXPORTED:
                    return
        cursor = page.cursor
        if cursor is None:
            return


def _view(entry: dict[str, Any]) -> dict[str, Any]:
    """Return *entry* in words: `changes` are (field, change)."""
    lines = (line.partition(": ") for line in describe_changes(entry, "→"))
    return {
        **entry,
        "action": action_label(entry["action"]),
        "via": VIA.get(entry["via"], entry["via"]),
        "changes": [(field_label(name), text) for name, _, text in lines],
    }


def _csv_row(entry: dict[str, Any]) -> tuple[object, ...]:
    at = moment(entry["at"], viewer_zone(), seconds=True)
    who = (entry["who"], entry["via"], entry["address"], entry["action"], entry["object"])
    return at, *who, entry["outcome"], "; ".join(describe_changes(entry, "->"))

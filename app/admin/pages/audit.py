"""The audit log: who changed what, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from flask import g, render_template, request, url_for

from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.services import services

bp = page_blueprint("audit", "/settings/audit")


@bp.get("")
def show() -> Any:
    """What was changed in this pool, and in what is of no pool."""
    asked: dict[str, Any] = {name: request.args.get(name, "").strip() for name in ("who", "action")}
    page = services().audit.page(request.args.get("cursor"), **asked)
    mine = [entry for entry in page.entries if entry["pool"] in ("", g.pool)]
    older = url_for("audit.show", cursor=page.cursor, **asked) if page.cursor else ""
    return render_template(
        "settings/audit.html",
        place="settings.show",
        form=Form(asked, *asked),
        entries=[{**entry, "changes": list(_differences(entry))} for entry in mine],
        older=older,
    )


def _differences(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield what changed, a line for each field."""
    before, after = entry["before"] or {}, entry["after"] or {}
    for name in {**before, **after}:
        if entry["before"] is None or entry["after"] is None:
            value = after.get(name, before.get(name))
            if value not in ("", None, [], {}):
                yield f"{name}: {_told(value)}"
        else:
            yield f"{name}: {_told(before.get(name))} → {_told(after.get(name))}"


def _told(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()[:300]

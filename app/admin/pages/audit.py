"""Page of the audit log: who changed what, and when; also as CSV."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flask import Response, g, render_template, request, url_for

from app.admin.pages.clock import viewer_zone
from app.admin.pages.layout import page_blueprint
from app.admin.pages.lists import Filter, cursor_links
from app.admin.services import services
from app.csv_text import csv_text
from app.formatting import moment
from app.presentation.audit import action_label, describe_changes, field_label
from app.presentation.names import Names
from app.stores.records.audit import AuditFilter

MAX_EXPORTED = 10_000  # entries, the newest
HEADS = ("time", "who", "via", "address", "action", "object", "outcome", "change")
NOUNS = (
    *("account", "alert", "backup", "key", "limit", "model", "operator", "admin_token", "pool", "price"),
    *("session", "team"),
)
VIA = {"cli": "command line", "api": "admin API", "page": "page", "start": "start", "worker": "worker"}
PAGES = {  # noun of an action -> endpoint of the page of an object, and the parameter that has its name
    "account": ("accounts.detail", "name"),
    "key": ("api_keys.detail", "name"),
    "team": ("teams.detail", "name"),
    "model": ("routes.show", "name"),
    "price": ("prices.show", "model"),
}

bp = page_blueprint("audit", "/settings/audit")


@bp.get("")
def show() -> Any:
    """List changes to this pool, and changes that belong to no pool."""
    matching = _filter()
    page = services().audit.page(request.args.get("cursor"), matching=matching)
    names = _names()
    existing = _existing_objects(names)
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
        rows=[_view(entry, names, existing) for entry in page.entries if entry["pool"] in ("", g.pool)],
        pages=cursor_links(page.cursor),
        export=url_for("audit.export", **query),
    )


@bp.get("/export.csv")
def export() -> Response:
    """Return the newest entries that match as CSV, with times in the viewer's time zone."""
    names = _names()
    response = Response(
        csv_text(HEADS, (_csv_row(entry, names) for entry in _entries(_filter()))), mimetype="text/csv"
    )
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


def _names() -> Names:
    return Names.read(g.pool, services().api_keys, services().accounts)


def _existing_objects(names: Names) -> dict[str, Collection[str]]:
    """Return the names of the pool's objects that have a page, by the noun of an action."""
    app_services = services()
    return {
        "account": frozenset(names.account.values()),
        "key": frozenset(names.key.values()),
        "team": frozenset(team.name for team in app_services.teams.all(g.pool)),
        "model": app_services.routes.all(g.pool).keys(),
        "price": app_services.prices.own(g.pool).keys(),
    }


def _address(entry: dict[str, Any], existing: Mapping[str, Collection[str]]) -> str:
    """Return the address of the page of the object of *entry*; '' if it does not exist in this pool."""
    noun, name = entry["action"].partition(".")[0], entry["object"]
    if entry["pool"] != g.pool or name not in existing.get(noun, ()):
        return ""
    endpoint, field = PAGES[noun]
    return url_for(endpoint, **{field: name})


def _view(entry: dict[str, Any], names: Names, existing: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Return *entry* in words: `changes` are (field, change), `href` is the page of the object, or ''."""
    lines = (line.partition(": ") for line in describe_changes(entry, "→", names))
    return {
        **entry,
        "action": action_label(entry["action"]),
        "via": VIA.get(entry["via"], entry["via"]),
        "href": _address(entry, existing),
        "changes": [(field_label(name), text) for name, _, text in lines],
    }


def _csv_row(entry: dict[str, Any], names: Names) -> tuple[object, ...]:
    at = moment(entry["at"], viewer_zone(), seconds=True)
    who = (entry["who"], entry["via"], entry["address"], entry["action"], entry["object"])
    return at, *who, entry["outcome"], "; ".join(describe_changes(entry, "->", names))

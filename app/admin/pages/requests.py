"""Pages of requests: the newest ones live, a search of the ledger, its export, and explanations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, g, redirect, render_template, request, url_for

from app.accounts.model_routes import RouteTable
from app.admin.pages import request_filters
from app.admin.pages.clock import zone_name
from app.admin.pages.layout import page_blueprint
from app.admin.pages.lists import cursor_links
from app.admin.pages.request_filters import RequestLinks, address
from app.admin.services import services
from app.ledger.query import LedgerQuery
from app.ledger.search import LedgerPage
from app.presentation.names import Names
from app.presentation.request_export import csv_head, to_csv, to_json_lines
from app.presentation.requests import request_views
from app.stores.records.ledger import is_entry_id
from app.stores.refusals import MAX_STORED
from app.wiring import LedgerServices

INPUTS = (
    ("labels", "Labels (env=prod, tier)", "text"),
    ("min_seconds", "Took at least (seconds)", "text"),
    ("min_dollars", "Cost at least (dollars)", "text"),
    ("since", "Ended from", "datetime-local"),
    ("until", "Ended until", "datetime-local"),
)
MAX_SCANNED = 10_000  # newest entries scanned for an id that is not in the index any more
EXPORT_PAGE, MAX_EXPORTED = 500, 100_000  # requests on a page

bp = page_blueprint("requests", "/requests")


@bp.get("")
def show() -> Any:
    """List the newest requests, or those that match a search."""
    ledger, names = services().ledger, _names()
    form = request_filters.read_form(request.args)
    cursor, page = request.args.get("cursor"), LedgerPage([], None, 0)
    newest = ledger.entries.newest_id(g.pool)
    with form.collect_errors():
        page = ledger.search.search(g.pool, request_filters.parse_query(form, names), cursor)
    active = form.filled(*request_filters.FIELDS)
    filters, more = request_filters.toolbar_filters(names)
    is_live = not (cursor or form.errors or form["refused"] or form["until"])
    return render_template(
        "requests/show.html",
        section="requests.show",
        form=form,
        rows=request_views(ledger.entries, g.pool, page.entries, names),
        links=RequestLinks.with_filters(active),
        searched=bool(active),
        live=address("live.stream", {"after": newest, **active}) if is_live else "",
        zone=zone_name(),
        filters=filters,
        more=more,
        extra=request_filters.EXTRA,
        max_refusals=MAX_STORED,
        inputs=INPUTS,
        labels={one.name: one.label for one in (*filters, *more)} | dict(request_filters.EXTRA),
        exports={each: address("requests.export", {"format": each, **active}) for each in ("csv", "jsonl")},
        pages=cursor_links(page.cursor),
    ), form.status


@bp.get("/export")
def export() -> Any:
    """Stream the requests that match a search as CSV or JSON Lines, MAX_EXPORTED at most."""
    names, form = _names(), request_filters.read_form(request.args)
    with form.collect_errors():
        query = request_filters.parse_query(form, names)
        query.check()
    if form.errors:
        return redirect(address("requests.show", form.filled(*request_filters.FIELDS)))
    as_csv = request.args.get("format") != "jsonl"
    pieces = _exported(services().ledger, g.pool, query, names, as_csv=as_csv)
    name = f"requests-{g.pool}.{'csv' if as_csv else 'jsonl'}"
    return Response(
        pieces,
        mimetype="text/csv" if as_csv else "application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _exported(
    ledger: LedgerServices, pool: str, query: LedgerQuery, names: Names, *, as_csv: bool
) -> Iterator[str]:
    """Yield the export of the requests that match *query*, a page at a time."""
    if as_csv:
        yield csv_head()
    write, cursor, count = to_csv if as_csv else to_json_lines, "", 0
    while count < MAX_EXPORTED:
        page = ledger.search.search(pool, query, cursor, min(EXPORT_PAGE, MAX_EXPORTED - count))
        yield write(request_views(ledger.entries, pool, page.entries, names))
        count += len(page.entries)
        if page.cursor is None:
            return
        cursor = page.cursor


def _names() -> Names:
    return Names.read(g.pool, services().api_keys, services().accounts)


@bp.get("/find")
def find() -> Any:
    """Redirect to the page of the request with the id that was searched for; without one, to the list."""
    request_id = request.args.get("id", "").strip()[:100]
    target = url_for("requests.detail", request_id=request_id) if request_id else url_for("requests.show")
    return redirect(target)


@bp.get("/<request_id>")
def detail(request_id: str) -> Any:
    """Explain one request."""
    entry_id = request.args.get("entry", "")
    explanation = services().ledger.explainer.explain(
        g.pool,
        request_id,
        entry_id=entry_id if is_entry_id(entry_id) else "",
        max_entries=MAX_SCANNED,
    )
    return render_template(
        "requests/detail.html",
        section="requests.show",
        explanation=explanation,
        route=_route_name(explanation["requested_model"]),
        links=RequestLinks.with_filters({}),
    )


def _route_name(requested_model: str | None) -> str:
    """Return the name of the model route that applies to *requested_model* now, '' for none."""
    if not requested_model:
        return ""
    route = RouteTable(services().routes.all(g.pool).values()).find(requested_model)
    return route.name if route else ""

"""Pages of requests: the newest ones live, a search of the ledger, and explanations."""

from __future__ import annotations

from typing import Any

from flask import g, redirect, render_template, request, url_for

from app.admin.pages.clock import parse_moment
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.services import services
from app.ledger.query import LedgerQuery
from app.ledger.search import LedgerPage
from app.presentation.names import Names
from app.presentation.requests import RequestView
from app.stores.records.ledger import is_entry_id
from schemas.key_labels import label_filters

SEARCH_FIELDS = ("key", "account", "model", "team", "owner", "labels", "status", "refused", "since", "until")
STATUSES = (
    ("", "any"),
    ("ok", "answered"),
    ("failed", "failed"),
    ("429", "429: limited"),
    ("499", "499: caller disconnected"),
    ("5xx", "500 and above"),
)
KINDS = (("", "all"), ("true", "refused before an account was tried"))
MAX_SCANNED = 10_000  # newest entries, for an id that is not indexed any more

bp = page_blueprint("requests", "/requests")


@bp.get("")
def show() -> Any:
    """List the newest requests, or those that match a search."""
    app_services = services()
    form = Form(request.args, *SEARCH_FIELDS, under={"label": "labels"})
    names = Names.read(g.pool, app_services.api_keys, app_services.accounts)
    cursor, page = request.args.get("cursor"), LedgerPage([], None, 0)
    ledger = app_services.ledger
    newest = ledger.entries.newest_id(g.pool)
    with form.collect_errors():
        page = ledger.search.search(g.pool, _ledger_query(form, names), cursor)
    filters: dict[str, Any] = {**form.filled(*SEARCH_FIELDS)}
    return render_template(
        "requests/show.html",
        section="requests.show",
        form=form,
        rows=[RequestView(entry, names) for entry in page.entries],
        searched=bool(filters),
        live=not filters and not cursor,
        newest=newest,
        statuses=STATUSES,
        kinds=KINDS,
        key_names=sorted(names.key.values())[:200],
        account_names=sorted(names.account.values())[:200],
        looked_at=page.scanned,
        older=url_for("requests.show", cursor=page.cursor, **filters) if page.cursor else "",
        start=url_for("requests.show", **filters) if cursor else "",
    ), form.status


def _ledger_query(form: Form, names: Names) -> LedgerQuery:
    """Return the query in *form*. Raises InvalidRequest, which names the field."""
    return LedgerQuery(
        key=names.id_of("key", form["key"].strip()),
        account=names.id_of("account", form["account"].strip()),
        model=form["model"].strip(),
        team=form["team"].strip(),
        owner=form["owner"].strip(),
        labels=label_filters(form.lines("labels")),
        status=form["status"].strip(),
        since=parse_moment(form["since"], "since"),
        until=parse_moment(form["until"], "until"),
        refused=form["refused"] == "true",
    )


@bp.get("/find")
def find() -> Any:
    """Redirect from the search for an id to its page."""
    return redirect(url_for("requests.detail", request_id=request.args.get("id", "").strip()[:100] or "-"))


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
    return render_template("requests/detail.html", section="requests.show", explanation=explanation)

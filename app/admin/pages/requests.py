"""Requests: the newest as they end, a search through the ledger, and why each went where it went."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import g, redirect, render_template, request, url_for

from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.pages.ledger_rows import Names, RowView, names_of
from app.admin.services import services
from app.errors import InvalidRequest
from app.ledger import tail
from app.ledger.explain import explain
from app.ledger.search import LedgerPage, LedgerQuery, search
from app.stores import keys
from app.stores.client import store_errors

SEARCHED = ("key", "account", "model", "status", "refused", "since", "until")
STATUSES = (
    ("", "any"),
    ("ok", "answered"),
    ("failed", "failed"),
    ("429", "429: limited"),
    ("499", "499: caller disconnected"),
    ("5xx", "500 and above"),
)
KINDS = (("", "all"), ("true", "refused before an account was tried"))
MAX_LOOKED = 10_000  # newest entries, for an id that the store does not remember the place of
_ENTRY_ID = re.compile(r"\d{1,15}-\d{1,15}")

bp = page_blueprint("requests", "/requests")


@bp.get("")
def show() -> Any:
    client = services().scripts.client
    form, names, zone = Form(request.args, *SEARCHED), names_of(client, g.pool), _zone(client)
    cursor, found = request.args.get("cursor"), LedgerPage([], None, 0)
    newest = tail.newest(client, g.pool)
    with form.checked():
        found = search(client, g.pool, _wanted(form, names, zone), cursor)
    asked = form.said(*SEARCHED)
    return render_template(
        "requests/show.html",
        place="requests.show",
        form=form,
        rows=[RowView(row, names, entry_id) for entry_id, row in found.rows],
        searched=bool(asked),
        live=not asked and not cursor,
        newest=newest,
        statuses=STATUSES,
        kinds=KINDS,
        zone=zone,
        key_names=sorted(names.keys.values())[:200],
        account_names=sorted(names.accounts.values())[:200],
        looked_at=found.looked_at,
        older=url_for("requests.show", cursor=found.cursor, **asked) if found.cursor else "",
        start=url_for("requests.show", **asked) if cursor else "",
    ), form.status


def _zone(client: Any) -> str:
    with store_errors():
        return client.hget(keys.pool(g.pool), "zone") or "UTC"


def _wanted(form: Form, names: Names, zone: str) -> LedgerQuery:
    """Return what *form* asks for. Raises InvalidRequest, which names the field."""
    return LedgerQuery(
        key=_id(form, "key", names.keys),
        account=_id(form, "account", names.accounts),
        model=form["model"].strip(),
        status=form["status"].strip(),
        since=_moment(form, "since", zone),
        until=_moment(form, "until", zone),
        refused=form["refused"] == "true",
    )


def _id(form: Form, field: str, names: Any) -> str:
    """Return the id of what a field names; the id of what has been removed is its own name."""
    name = form[field].strip()
    ids = [one for one, known in names.items() if known == name]
    if name and not ids and not name.startswith(("key_", "acct_")):
        raise InvalidRequest(f"is not a known {field} of this pool", param=field)
    return ids[0] if ids else name


def _moment(form: Form, field: str, zone: str) -> float | None:
    text = form[field].strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).timestamp()
    except (ValueError, OverflowError):
        raise InvalidRequest("must be a date and time like 2026-11-21 18:00", param=field) from None


@bp.get("/find")
def find() -> Any:
    """Lead from the field for an id to its page."""
    return redirect(url_for("requests.one", request_id=request.args.get("id", "").strip()[:100] or "-"))


@bp.get("/<request_id>")
def one(request_id: str) -> Any:
    client, entry_id = services().scripts.client, request.args.get("entry", "")
    told = explain(
        client,
        g.pool,
        request_id,
        entry_id=entry_id if _ENTRY_ID.fullmatch(entry_id) else "",
        most=MAX_LOOKED,
    )
    return render_template("requests/one.html", place="requests.show", told=told)

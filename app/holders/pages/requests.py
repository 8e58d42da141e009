"""The requests of a key, for its holder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request, url_for

from app.admin.services import services
from app.holders.guard import holder
from app.ledger.query import LedgerQuery
from app.presentation.names import Names
from app.presentation.requests import RequestView, request_views
from app.stores.records.api_keys import ApiKey
from app.stores.refusals import MAX_STORED

PAGE = 25  # requests on one page
NO_NAMES = Names({}, {})  # not shown: names of accounts are for operators

bp = Blueprint("requests", __name__)


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests as rows, newest first; `cursor` is where older ones begin, None at the end."""

    rows: Sequence[RequestView]
    cursor: str | None


def newest_requests(key: ApiKey, number: int, cursor: str | None = None) -> Requests:
    """Return at most *number* requests of *key* before *cursor*. Raises InvalidRequest."""
    ledger = services().ledger
    page = ledger.search.search(key.pool, LedgerQuery(key=key.id), cursor, number)
    return Requests(request_views(ledger.entries, key.pool, page.entries, NO_NAMES), page.cursor)


@bp.get("/requests")
def show() -> Any:
    """List the requests of the key, newest first."""
    cursor = request.args.get("cursor")
    found = newest_requests(holder(), PAGE, cursor)
    return render_template(
        "holders/requests.html",
        section="requests.show",
        rows=found.rows,
        max_refusals=MAX_STORED,
        older=url_for("requests.show", cursor=found.cursor) if found.cursor else "",
        newest=url_for("requests.show") if cursor else "",
    )

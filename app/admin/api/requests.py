"""The ledger: completed requests, and explanations of how they were routed."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import checked_pool, json_response, list_response
from app.admin.services import services
from app.ledger.search import MAX_SCANNED, checked_entry
from app.presentation.names import Names
from app.presentation.requests import ledger_query, serialize_entries
from schemas.admin import RequestQuery, RequestsQuery

bp = Blueprint("requests", __name__, url_prefix="/requests")

REQUESTS_QUERY, REQUEST_QUERY = RequestsQuery(), RequestQuery()


@bp.get("")
def index() -> Response:
    """
    List completed requests, newest first.

    `key`, `account` and `tried` (an account of any attempt) are names, or ids of removed ones. `team`,
    `owner` and `label` (`name=value` or `name`, several separated by commas) are those of the key at the
    time of the request. `requested` is the model as the client named it. `status` is `ok`, `failed`, a
    class such as `5xx` or a number; several are separated by commas. `min_ms` is a total duration in
    milliseconds, `min_cost` an amount in micro-dollars.

    A request that is tried at several models has an entry for each: `fallback_of` is the id of the one that
    failed before, and `answered_by` of a failure is the later model that answered, with its `id` there.

    The newest refused requests are included, with `refused` and `message`; `refused=true`: only those.

    A call scans a bounded number of entries that are not indexed yet: a page may be short and still have a
    `cursor`.
    """
    params = inputs.query(REQUESTS_QUERY)
    app_services, pool = services(), checked_pool(params["pool"])
    names = Names.read(pool, app_services.api_keys, app_services.accounts)
    page = app_services.ledger.search.search(
        pool, ledger_query(names, params), params.get("cursor"), params["limit"]
    )
    rows = serialize_entries(app_services.ledger.entries, pool, page.entries, names)
    return list_response(rows, cursor=page.cursor, looked_at=page.scanned)


@bp.get("/<request_id>")
def show(request_id: str) -> Response:
    """
    Explain how a request was routed.

    `entry`, the id of its ledger entry, finds a request that ended more than a day ago directly. Without it,
    only the newest entries are searched.
    """
    params = inputs.query(REQUEST_QUERY)
    pool, explainer = checked_pool(params["pool"]), services().ledger.explainer
    entry_id = checked_entry(params.get("entry", ""))
    return json_response(explainer.explain(pool, request_id, entry_id=entry_id, max_entries=MAX_SCANNED))

"""The ledger: requests that ended, newest first, and why each went where it went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response

from app.admin.api import asking
from app.admin.api.asking import answer, checked_pool, listed
from app.admin.services import services
from app.errors import InvalidRequest
from app.pool.explain import explain
from app.quotas import search
from schemas.admin import RequestQuery, RequestsQuery

bp = Blueprint("requests", __name__, url_prefix="/requests")

REQUESTS_QUERY, REQUEST_QUERY = RequestsQuery(), RequestQuery()


@bp.get("")
def index() -> Response:
    """
    Requests that ended, newest first. `key` and `account` are names, or ids of what was removed.

    One call looks through a bounded number of rows: a page may be short and still have a `cursor`.
    """
    said = asking.query(REQUESTS_QUERY)
    found, pool = services(), checked_pool(said["pool"])
    names = {"key": found.api_keys.names_by_id(pool), "account": found.accounts.names_by_id(pool)}
    wanted = search.Wanted(
        key=_id(names["key"], said.get("key", ""), "key"),
        account=_id(names["account"], said.get("account", ""), "account"),
        model=said.get("model", ""),
        status=said.get("status", ""),
        since=said.get("since"),
        until=said.get("until"),
    )
    page = search.search(found.scripts.client, pool, wanted, said.get("cursor"), said["limit"])
    rows = [row_shape(entry_id, row, names) for entry_id, row in page.rows]
    return listed(rows, cursor=page.cursor, looked_at=page.looked_at)


@bp.get("/<request_id>")
def show(request_id: str) -> Response:
    """
    Why a request went where it went. One that ended more than a day ago is found at once by `entry`.

    Without it, only the newest rows are looked through.
    """
    said = asking.query(REQUEST_QUERY)
    pool, client = checked_pool(said["pool"]), services().scripts.client
    entry_id = search.checked_entry(said.get("entry", ""))
    return answer(explain(client, pool, request_id, entry_id=entry_id, most=search.MOST_READ))


def _id(names: Mapping[str, str], said: str, param: str) -> str:
    """Return the id of what *said* names; an id is its own."""
    if not said or said in names:
        return said
    ids = [one_id for one_id, name in names.items() if name == said]
    if ids:
        return ids[0]
    if said.startswith({"key": "key_", "account": "acct_"}[param]):
        return said
    raise InvalidRequest(f"There is no {param} named '{said[:64]}'", param=param)


def row_shape(
    entry_id: str, row: Mapping[str, Any], names: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return one ledger row with times in Unix seconds, and names where there are any."""
    told = {name: value for name, value in row.items() if name not in ("at_ms", "day_ms", "affinity")}
    return told | {
        "entry": entry_id,
        "at": row["at_ms"] / 1000,
        "ended_at": int(entry_id.partition("-")[0]) / 1000,
        "key": {"id": row["key"], "name": names["key"].get(row["key"])},
        "account": {"id": row["account"], "name": names["account"].get(row["account"])},
    }

"""What was used, point by point."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import inputs
from app.admin.api.inputs import answer, checked_pool
from app.admin.services import services
from app.operations.serializers import Names, describe_refused, serialize_series
from schemas.admin import RefusalsQuery, SeriesQuery

bp = Blueprint("usage", __name__, url_prefix="/usage")

SERIES_QUERY, REFUSALS_QUERY = SeriesQuery(), RefusalsQuery()


@bp.get("/series")
def series() -> Response:
    """
    What was used in `span`, by key, account, model or in all.

    `points[n]` is what was used from `starts[n]` on, in the order of `figures`. Of more lines than
    `top` those with the most requests are told, and of how many.
    """
    said = inputs.query(SERIES_QUERY)
    pool, by = checked_pool(said["pool"]), said["by"]
    told = services().series.series(pool, said["span"], by)
    return answer(serialize_series(told, said["span"], by, _names(pool, by), said["top"]))


@bp.get("/refusals")
def refusals() -> Response:
    """
    How many requests were refused in `span`, by key and error code; `key` is a name, or an id.

    Counted by hours of the clock: `since` is where the first one begins.
    """
    said = inputs.query(REFUSALS_QUERY)
    found, pool = services(), checked_pool(said["pool"])
    names = Names.read(pool, found.api_keys, found.accounts)
    refused = found.refusals.refused(pool, said["span"])
    key_id = names.id_of("key", said.get("key", ""))
    return answer(describe_refused(refused, said["span"], names.key, key_id))


def _names(pool: str, by: str) -> dict[str, str]:
    if by == "account":
        return services().accounts.names_by_id(pool)
    return services().api_keys.names_by_id(pool) if by == "key" else {}

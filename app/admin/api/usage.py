"""What was used, point by point."""

from __future__ import annotations

from flask import Blueprint, Response

from app.admin.api import asking
from app.admin.api.asking import answer, checked_pool
from app.admin.services import services
from app.office.telling import told_series
from schemas.admin import SeriesQuery

bp = Blueprint("usage", __name__, url_prefix="/usage")

SERIES_QUERY = SeriesQuery()


@bp.get("/series")
def series() -> Response:
    """
    What was used in `span`, by key, account, model or in all.

    `points[n]` is what was used from `starts[n]` on, in the order of `figures`. Of more lines than
    `top` those with the most requests are told, and of how many.
    """
    said = asking.query(SERIES_QUERY)
    pool, by = checked_pool(said["pool"]), said["by"]
    told = services().series.series(pool, said["span"], by)
    return answer(told_series(told, said["span"], by, _names(pool, by), said["top"]))


def _names(pool: str, by: str) -> dict[str, str]:
    if by == "account":
        return services().accounts.names_by_id(pool)
    return services().api_keys.names_by_id(pool) if by == "key" else {}

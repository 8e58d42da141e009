"""What was used, point by point."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.admin.api import asking
from app.admin.api.asking import answer, checked_pool
from app.admin.services import services
from app.quotas.summaries import FIGURES
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
    totals = told.totals()
    busiest = sorted(totals, key=lambda who: (-totals[who]["requests"], who))[: said["top"]]
    names = _names(pool, by)
    return answer(
        {
            "object": "usage.series",
            "span": said["span"],
            "by": by,
            "figures": FIGURES,
            "starts": told.starts,
            "until": told.until,
            "lines": len(totals),
            "data": [
                {"id": who, "name": names.get(who), "total": totals[who], "points": told.lines[who]}
                for who in busiest
            ],
        }
    )


def _names(pool: str, by: str) -> dict[str, Any]:
    if by == "account":
        return services().accounts.names_by_id(pool)
    return services().api_keys.names_by_id(pool) if by == "key" else {}

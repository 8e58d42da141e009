"""The first page of a key's holder: usage, limits and the newest requests."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from app.accounts.settings import settings_from
from app.admin.pages.usage_summary import SPANS, UsageSummary, span_of, summarize_usage
from app.admin.services import services
from app.holders.guard import holder
from app.holders.pages.requests import newest_requests
from app.ledger.caller_figures import received_by_callers
from app.ledger.sums import Grouping, Only
from app.stores.records.api_keys import ApiKey

NEWEST = 5  # requests
DAYS = "30d"  # the span whose last point is today

bp = Blueprint("overview", __name__)


@bp.get("", strict_slashes=False)
def show() -> Any:
    """Show the usage and the limits of the key, and its newest requests."""
    key, app_services = holder(), services()
    span = span_of(request.args)
    used = _usage(key, span)
    days = used if span == DAYS else _usage(key, DAYS)
    return render_template(
        "holders/overview.html",
        section="overview.show",
        span=span,
        spans=SPANS,
        today=received_by_callers(days.points[-1]) if days.points else {},
        totals=used.totals(),
        charts=used.charts(),
        limits=app_services.ledger.usage.of_key(key).limits,
        rows=newest_requests(key, NEWEST).rows,
        may_rotate=settings_from(key.settings).holders_rotate,
    )


def _usage(key: ApiKey, span: str) -> UsageSummary:
    return summarize_usage(services(), key.pool, span, Only(Grouping.KEY, key.id))

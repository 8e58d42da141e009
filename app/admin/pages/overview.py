"""The first page: what is used, how the accounts do, and what needs attention."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from app.accounts.pools import DEFAULT
from app.accounts.snapshot import glance
from app.admin.pages import usage_summary
from app.admin.pages.alerts import findings
from app.admin.pages.layout import page_blueprint, present_pool
from app.admin.pages.views import account_view, store_time
from app.admin.services import services

bp = page_blueprint("overview")


@bp.get("/")
def show() -> Any:
    found, pool, span = services(), g.pool, usage_summary.span_of(request.args)
    accounts, api_keys = glance(found.scripts.client, pool), found.api_keys.all(pool)
    now = store_time(found.scripts.client)
    used = usage_summary.used(found, pool, span)
    return render_template(
        "overview.html",
        place="overview.show",
        span=span,
        spans=usage_summary.SPANS,
        unfinished=not accounts or not api_keys,
        findings=findings(found, pool),
        totals=used.totals(),
        charts=used.charts(),
        accounts=[account_view(account, now) for account in accounts],
    )


def front() -> Any:
    """Lead to the pool that there is, or to the first steps where it cannot answer yet."""
    found = services()
    names = found.pools.names()
    pool = present_pool()
    if pool not in names:
        pool = names[0] if names else DEFAULT
    client = found.scripts.client
    ready = bool(glance(client, pool)) and bool(found.api_keys.all(pool))
    return redirect(url_for("overview.show" if ready else "start.show", pool=pool))


front_bp = Blueprint("front", __name__, url_prefix="/admin")
front_bp.get("/")(front)

"""The overview of a pool: findings, usage and the state of its accounts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from app.accounts.pools import DEFAULT
from app.admin.pages import usage_summary
from app.admin.pages.findings import list_findings
from app.admin.pages.layout import current_pool, page_blueprint
from app.admin.services import services
from app.presentation.accounts import AccountView

bp = page_blueprint("overview")


@bp.get("/")
def show() -> Any:
    """Show findings, usage and accounts of the pool."""
    app_services, pool, span = services(), g.pool, usage_summary.span_of(request.args)
    accounts, api_keys = app_services.accounts.snapshot(pool), app_services.api_keys.all(pool)
    now = app_services.clock.now()
    usage = usage_summary.summarize_usage(app_services, pool, span)
    return render_template(
        "overview.html",
        section="overview.show",
        span=span,
        spans=usage_summary.SPANS,
        unfinished=not accounts or not api_keys,
        findings=list_findings(app_services, pool),
        totals=usage.totals(),
        charts=usage.charts(),
        accounts=[AccountView(account, now) for account in accounts],
    )


def show_home() -> Any:
    """Redirect to the overview of the current pool, or to its first steps until it can serve requests."""
    app_services = services()
    names = app_services.pools.names()
    pool = current_pool()
    if pool not in names:
        pool = names[0] if names else DEFAULT
    ready = bool(app_services.accounts.snapshot(pool)) and bool(app_services.api_keys.all(pool))
    return redirect(url_for("overview.show" if ready else "start.show", pool=pool))


home_bp = Blueprint("home", __name__, url_prefix="/admin")
home_bp.get("/")(show_home)

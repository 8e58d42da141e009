"""The overview of a pool: its health, who uses it, and what will be used up when."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from app.accounts.pools import DEFAULT
from app.admin.current_pool import current_pool
from app.admin.guard import may_change
from app.admin.outlook import forecast_limits
from app.admin.pages import usage_summary
from app.admin.pages.account_rows import make_rows
from app.admin.pages.findings import list_findings
from app.admin.pages.layout import page_blueprint
from app.admin.pages.top import top_lists
from app.admin.services import services
from app.presentation.account_list import COLUMNS
from app.presentation.names import Names
from app.presentation.outlook import pool_windows
from app.presentation.recent import MAX_ENTRIES, summarize_recent
from app.presentation.row_order import DEFAULT_COLUMN, sort_rows

NEAREST_LIMITS = 5
ACCOUNTS = 25  # accounts shown; the others are in the list of accounts

bp = page_blueprint("overview")


@bp.get("/")
def show() -> Any:
    """Show findings, health, capacity, usage and accounts of the pool."""
    app_services, pool, span = services(), g.pool, usage_summary.span_of(request.args)
    limits, now = app_services.doctor.read_limits(pool), app_services.clock.now()
    usage = app_services.ledger.series.at_once(pool)
    newest = app_services.ledger.entries.newest(pool, MAX_ENTRIES)
    rows = sort_rows(make_rows(app_services, pool, usage), COLUMNS, DEFAULT_COLUMN)
    summary = usage_summary.summarize_reading(app_services, pool, usage, span)
    names = Names(
        {key.id: key.name for key in limits.api_keys},
        {row.account.id: row.account.name for row in rows},
        app_services.api_keys.former_names(pool),
    ).with_teams(limits.teams)
    return render_template(
        "overview.html",
        section="overview.show",
        span=span,
        spans=usage_summary.SPANS,
        unfinished=not rows or not limits.api_keys,
        findings=list_findings(app_services, pool, limits),
        states=Counter(row.view.state for row in rows).most_common(),
        in_flight=sum(row.account.in_flight for row in rows),
        room=sum(row.account.cap for row in rows if row.account.state == "active"),
        recent=summarize_recent(newest, now),
        windows=pool_windows([row.view for row in rows], {row.account.id: row.identity.plan for row in rows}),
        limits=[
            one
            for one in forecast_limits(app_services, pool, limits)[:NEAREST_LIMITS]
            if one.status.used_percent
        ],
        totals=summary.totals(),
        charts=summary.charts(),
        tops=top_lists(usage, span, names),
        rows=rows[:ACCOUNTS],
        accounts=len(rows),
        newest=newest[-1].id if newest else "0",
        now=now,
    )


def show_home() -> Any:
    """Redirect to the overview of the current pool, or to its first steps until it can serve requests."""
    app_services = services()
    names = app_services.pools.names()
    pool = current_pool()
    if pool not in names:
        pool = names[0] if names else DEFAULT
    ready = bool(app_services.accounts.snapshot(pool)) and bool(app_services.api_keys.all(pool))
    return redirect(url_for("overview.show" if ready or not may_change() else "start.show", pool=pool))


home_bp = Blueprint("home", __name__, url_prefix="/admin")
home_bp.get("/")(show_home)

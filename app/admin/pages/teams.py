"""Pages of teams: keys, limits, usage and changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g, render_template, request, url_for

from app.admin.guard import operations
from app.admin.pages import bulk_teams, choices, key_rows, lists, usage_summary
from app.admin.pages.confirmations import ConfirmedChange, confirm
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint, redirect_with_notice
from app.admin.pages.limit_rows import count_rows, read_limits, row_fields, row_values
from app.admin.pages.shown_values import check_shown
from app.admin.services import services
from app.ledger.sums import Grouping, Only
from app.limits.limit_syntax import format_limit, parse_limit
from app.presentation.key_list import KEY_COLUMNS, TEAM_COLUMNS, TeamRow
from app.presentation.row_order import DEFAULT_COLUMN, sort_rows
from app.presentation.teams import filter_teams, keys_by_team, team_views
from app.stores.records.teams import Team, TeamState
from app.stores.records.usage import UsageBy
from schemas.teams import TeamInput

SECTION = "api_keys.show"
MAX_MEMBERS = 20  # keys on the page of a team, the most expensive ones
KEY_LIMIT = "key_limit"  # prefix of the rows for the limits of new keys
DISABLE = ConfirmedChange(
    "Disable",
    "team",
    "All of its keys are refused from now on. Requests in progress continue.",
    SECTION,
)
REMOVE = ConfirmedChange("Remove", "team", "Its limits are deleted. Its usage stays in the ledger.", SECTION)

bp = page_blueprint("teams", "/teams")


@bp.get("")
def show() -> Any:
    """List the teams of the pool that match the filters in the query, with their usage of this month."""
    app_services, args = services(), request.args
    usage, members = app_services.ledger.usage, keys_by_team(app_services.api_keys.all(g.pool))
    everything = app_services.teams.all(g.pool)
    matching = filter_teams(everything, args)
    used = usage.since(g.pool, None, UsageBy.TEAM) if matching else {}
    views = team_views(usage, g.pool, matching, members)
    sort = lists.parse_sort(args.get("sort"), TEAM_COLUMNS, DEFAULT_COLUMN)
    rows = [TeamRow(view, used.get(view.team.name, {})) for view in views]
    rows = sort_rows(rows, TEAM_COLUMNS, sort.column, descending=sort.descending)
    shown, pages = lists.paginate(rows, args.get("page"))
    states = [one.value for one in TeamState]
    return render_template(
        "teams/show.html",
        section=SECTION,
        rows=shown,
        pages=pages,
        sort=sort,
        cost=sum(row.figures.get("cost", 0) for row in rows),
        is_empty=not everything,
        filters=[lists.Filter("state", "State", states)],
        bulk_actions=bulk_teams.PAGE.buttons,
    )


@bp.get("/<name>")
def detail(name: str) -> Any:
    """Show one team: keys, limits and usage."""
    app_services, span = services(), usage_summary.span_of(request.args)
    team = app_services.teams.find(g.pool, name)
    api_keys = [key for key in app_services.api_keys.all(g.pool) if key.team == name]
    members = key_rows.read_rows(app_services, g.pool, api_keys, span)
    members = sort_rows(members, KEY_COLUMNS, "cost", descending=True)[:MAX_MEMBERS]
    used = usage_summary.summarize_usage(app_services, g.pool, span, Only(Grouping.TEAM, name))
    return render_template(
        "teams/detail.html",
        section=SECTION,
        view=team_views(app_services.ledger.usage, g.pool, [team], keys_by_team(api_keys))[0],
        members=key_rows.with_limits(app_services, g.pool, members),
        span=span,
        spans=usage_summary.SPANS,
        totals=used.team_totals(),
        charts=used.charts(),
    )


@bp.route("/create", methods=["GET", "POST"])
def create() -> Any:
    """Create a team."""
    form = _form(request.form or {**row_values(), **row_values((), KEY_LIMIT)})
    if request.method == "POST":
        limits, key_limits = _read_limits(form, "limit"), _read_limits(form, KEY_LIMIT)
        with form.collect_errors():
            fields = TeamInput().load({**form.filled("name"), "limits": limits, "key_limits": key_limits})
            if not form.errors:
                team = operations().teams.create(g.pool, fields)
                return _redirect_with_warnings(team, "was created")
    return _team_form(form)


@bp.route("/<name>/edit", methods=["GET", "POST"])
def edit(name: str) -> Any:
    """Change the limits that new keys of a team get."""
    now = row_values(map(parse_limit, services().teams.find(g.pool, name).key_limits), KEY_LIMIT)
    form = _form(request.form or now)
    check_shown(form, now, "team", name)
    if request.method == "POST":
        key_limits = _read_limits(form, KEY_LIMIT)
        with form.collect_errors():
            if not form.errors:
                team = operations().teams.change(g.pool, name, {"key_limits": key_limits})
                return _redirect_with_warnings(team, "was changed")
    return _team_form(form, name)


def _redirect_with_warnings(team: Team, done: str) -> Any:
    warnings = (f"Note: {warning}." for warning in operations().teams.find_warnings(g.pool, team))
    notice = " ".join((f"Team {team.name} {done}.", *warnings))
    return redirect_with_notice(notice, "teams.detail", name=team.name)


def _form(typed: Mapping[str, str]) -> Form:
    rows = {prefix: row_fields(count_rows(typed, prefix), prefix) for prefix in ("limit", KEY_LIMIT)}
    return Form(typed, "name", *rows["limit"], *rows[KEY_LIMIT])


def _read_limits(form: Form, prefix: str) -> list[str]:
    """Return the limits in the rows of *form* as text."""
    return [format_limit(limit) for limit in read_limits(form, count_rows(request.form, prefix), prefix)]


def _team_form(form: Form, name: str = "") -> Any:
    return render_template(
        "teams/form.html",
        section=SECTION,
        form=form,
        name=name,
        models=choices.model_choices(),
        limit_count=count_rows(form.typed),
        key_limit_count=count_rows(form.typed, KEY_LIMIT),
    ), form.status


@bp.post("/<name>/enable")
def enable(name: str) -> Any:
    """Accept the keys of a disabled team again."""
    operations().teams.enable(g.pool, name)
    return redirect_with_notice(f"Team {name} was enabled.", "teams.detail", name=name)


@bp.route("/<name>/disable", methods=["GET", "POST"])
def disable(name: str) -> Any:
    """Disable a team, after a confirmation."""
    services().teams.find(g.pool, name)
    back = url_for("teams.detail", name=name)
    return confirm(DISABLE, name, lambda _: operations().teams.disable(g.pool, name), back=back)


@bp.route("/<name>/remove", methods=["GET", "POST"])
def remove(name: str) -> Any:
    """Remove a team without keys, after a confirmation."""
    services().teams.find(g.pool, name)
    back, then = url_for("teams.detail", name=name), url_for("teams.show")
    return confirm(REMOVE, name, lambda _: operations().teams.remove(g.pool, name), back=back, then=then)

"""Pages of API keys: permissions, usage of limits, client snippets, creation and rotation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g, render_template, request, url_for
from markupsafe import Markup

from app.admin.guard import operations
from app.admin.pages import bulk_keys, key_filters, key_rows, lists, usage_summary
from app.admin.pages.clock import moment
from app.admin.pages.confirmations import ConfirmedChange, confirm
from app.admin.pages.forms import Form
from app.admin.pages.key_activity import read_activity
from app.admin.pages.key_form import KeyForm, new_values, values_of
from app.admin.pages.layout import base_url, page_blueprint, redirect_with_notice
from app.admin.pages.shown_values import check_shown
from app.admin.services import services
from app.ledger.sums import Grouping, Only
from app.operations.account_check import example_model
from app.operations.key_warnings import rotation_warnings
from app.patterns import STAR
from app.presentation.api_keys import KeyView, key_views
from app.presentation.key_list import KEY_COLUMNS, totals
from app.presentation.row_order import DEFAULT_COLUMN, sort_rows
from app.presentation.snippets import snippets
from app.stores.limits import for_team
from app.stores.records.api_keys import ApiKey
from app.stores.records.limits import Limit
from schemas.admin import MAX_OVERLAP_SECONDS

MAX_OVERLAP_HOURS = MAX_OVERLAP_SECONDS // 3600
OVERLAPS = (
    ("0", "it becomes invalid immediately"),
    ("1", "one hour"),
    ("24", "one day"),
    ("168", "one week"),
    ("720", "30 days"),
)
DISABLE = ConfirmedChange(
    "Disable",
    "key",
    "It is refused from now on. Requests in progress continue, and its usage stays in the ledger.",
    section="api_keys.show",
)
REMOVE = ConfirmedChange(
    "Remove",
    "key",
    "It is refused from now on, and its limits are deleted. Its usage stays in the ledger.",
    section="api_keys.show",
)

bp = page_blueprint("api_keys", "/keys")


@bp.get("")
def show() -> Any:
    """List the keys of the pool that match the filters in the query, with their usage in a time span."""
    app_services, span = services(), usage_summary.span_of(request.args)
    now = app_services.clock.now()
    everything = app_services.api_keys.all(g.pool)
    chosen, errors = key_filters.parse(request.args)
    matching = chosen.select(everything, now)
    rows = key_rows.read_rows(app_services, g.pool, matching, span)
    if request.args.get("use") == "never":
        rows = [row for row in rows if not row.is_used]
    sort = lists.parse_sort(request.args.get("sort"), KEY_COLUMNS, DEFAULT_COLUMN)
    by_limit = sort.column == "nearest"
    if by_limit:
        rows = key_rows.with_limits(app_services, g.pool, rows)
    rows = sort_rows(rows, KEY_COLUMNS, sort.column, descending=sort.descending)
    shown, pages = lists.paginate(rows, request.args.get("page"))
    return render_template(
        "keys/show.html",
        section="api_keys.show",
        rows=shown if by_limit else key_rows.with_limits(app_services, g.pool, shown),
        totals=totals(rows),
        pages=pages,
        sort=sort,
        span=span,
        spans=usage_summary.SPANS,
        now=now,
        distance=lambda at: key_rows.rounded(abs(at - now)),
        errors=errors,
        is_empty=not everything,
        bulk_actions=bulk_keys.PAGE.buttons,
        filters=key_filters.filters(everything),
        more_filters=key_filters.more_filters(everything),
    ), 400 if errors else 200


def _views(api_keys: Sequence[ApiKey], shared: Sequence[Limit] = ()) -> list[KeyView]:
    app_services = services()
    names, now = app_services.accounts.names_by_id(g.pool), app_services.clock.now()
    former = app_services.api_keys.former_names(g.pool)
    return key_views(
        app_services.ledger.usage, g.pool, api_keys, names, now=now, shared=shared, former_names=former
    )


@bp.get("/<name>")
def detail(name: str) -> Any:
    """Show one key: permissions, limits, usage and client snippets."""
    app_services, span = services(), usage_summary.span_of(request.args)
    key = app_services.api_keys.find(g.pool, name)
    used = usage_summary.summarize_usage(app_services, g.pool, span, Only(Grouping.KEY, key.id))
    return render_template(
        "keys/detail.html",
        section="api_keys.show",
        view=_views([key], _shared_limits(key))[0],
        team=app_services.teams.find(g.pool, key.team) if key.team else None,
        span=span,
        spans=usage_summary.SPANS,
        totals=used.totals(),
        charts=used.charts(),
        activity=read_activity(app_services, key),
        clients=snippets(base_url(), _model(key)),
    )


def _shared_limits(key: ApiKey) -> list[Limit]:
    """Return the limits of the team of *key* and of the pool, which apply to *key* as well."""
    limits = services().limits
    return (limits.all(g.pool, for_team(key.team)) if key.team else []) + limits.all(g.pool)


def _model(key: ApiKey) -> str:
    """Return a model for examples, if possible one that *key* may use and an active account lists."""
    listed = example_model(services().accounts.all(g.pool), key.may_use)
    return listed or next((name for name in key.models if STAR not in name), "gpt-5.2")


@bp.route("/create", methods=["GET", "POST"])
def create() -> Any:
    """Create a key and show it, once."""
    key_form = KeyForm(request.form or new_values(request.args.get("team", "")))
    if request.method == "POST":
        changes, limits = key_form.read()
        if not key_form.form.errors:
            with key_form.form.collect_errors():
                key, secret = operations().api_keys.create(g.pool, changes, limits or None)
                warnings = _join_warnings(operations().api_keys.find_warnings(g.pool, key))
                return _show_secret(key, secret, warnings, guided="guided" in request.args)
    return key_form.render()


def _join_warnings(warnings: list[str]) -> str:
    return " ".join(f"Note: {warning}." for warning in warnings)


def _show_secret(key: ApiKey, secret: str, note: str = "", *, guided: bool = False) -> Any:
    return render_template(
        "keys/created.html",
        section="api_keys.show",
        name=key.name,
        secret=secret,
        note=note,
        guided=guided,
        clients=snippets(base_url(), _model(key), secret),
    )


@bp.route("/<name>/edit", methods=["GET", "POST"])
def edit(name: str) -> Any:
    """Change the permissions of a key."""
    key = services().api_keys.find(g.pool, name)
    now = values_of(key)
    key_form = KeyForm(request.form if request.method == "POST" else now, key)
    check_shown(key_form.form, now, "key", name)
    if request.method == "POST":
        changes, _ = key_form.read()
        if not key_form.form.errors:
            with key_form.form.collect_errors():
                changed = operations().api_keys.change(g.pool, name, changes)
                warnings = _join_warnings(operations().api_keys.find_warnings(g.pool, changed))
                notice = f"Key {name} was changed. {warnings}".rstrip()
                return redirect_with_notice(notice, "api_keys.detail", name=name)
    return key_form.render()


@bp.route("/<name>/rotate", methods=["GET", "POST"])
def rotate(name: str) -> Any:
    """Give a key a new secret and show it, once."""
    before, now = services().api_keys.find(g.pool, name), services().clock.now()
    form = Form(request.form or {"hours": "24"}, "hours")
    if request.method == "POST":
        hours = form.integer("hours")
        if not isinstance(hours, int) or hours > MAX_OVERLAP_HOURS:
            form.add_error("hours", f"must be a whole number of hours, from 0 to {MAX_OVERLAP_HOURS}")
        else:
            with form.collect_errors():
                key, secret = operations().api_keys.rotate(g.pool, name, overlap_seconds=hours * 3600)
                return _show_secret(key, secret, _overlap_note(key, before, now))
    return render_template(
        "keys/rotate.html",
        section="api_keys.show",
        form=form,
        name=name,
        overlaps=OVERLAPS,
        former_until=before.former_until if rotation_warnings(before, now) else None,
    ), form.status


def _overlap_note(key: ApiKey, before: ApiKey, now: float) -> Markup:
    """Return how long the old secret stays valid, and warnings about what the rotation ended early."""
    until = key.former_until
    note = Markup("The old secret stays valid until {}.").format(moment(until)) if until else None
    warnings = _join_warnings(rotation_warnings(before, now))
    return Markup(" ").join(filter(None, (note or "The old secret is no longer valid.", warnings)))


@bp.post("/<name>/enable")
def enable(name: str) -> Any:
    """Enable a disabled key."""
    operations().api_keys.enable(g.pool, name)
    return redirect_with_notice(f"Key {name} was enabled.", "api_keys.detail", name=name)


@bp.route("/<name>/disable", methods=["GET", "POST"])
def disable(name: str) -> Any:
    """Disable a key, after a confirmation."""
    services().api_keys.find(g.pool, name)
    back = url_for("api_keys.detail", name=name)
    return confirm(DISABLE, name, lambda _: operations().api_keys.disable(g.pool, name), back=back)


@bp.route("/<name>/remove", methods=["GET", "POST"])
def remove(name: str) -> Any:
    """Remove a key, after a confirmation."""
    services().api_keys.find(g.pool, name)
    back, then = url_for("api_keys.detail", name=name), url_for("api_keys.show")
    return confirm(REMOVE, name, lambda _: operations().api_keys.remove(g.pool, name), back=back, then=then)

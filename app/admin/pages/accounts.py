"""Pages of accounts: state and usage, adding, editing, pausing, testing and removing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from flask import g, render_template, request, url_for

from app.accounts.account import POOL_SETTING, Account
from app.accounts.kinds import KINDS, kind_of
from app.accounts.kinds.kind import CHAT, RESPONSES, Kind
from app.admin.guard import operations
from app.admin.pages import account_settings, bulk_accounts, choices, usage_summary
from app.admin.pages.account_rows import read_rows
from app.admin.pages.confirmations import ConfirmedChange, confirm
from app.admin.pages.findings import account_findings
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint, redirect_with_notice, redirect_with_warning
from app.admin.pages.lists import Filter, parse_sort
from app.admin.pages.shown_values import check_shown
from app.admin.services import services
from app.formatting import counted, dollars, natural
from app.ledger.ranges import Span
from app.ledger.sums import Grouping, Only
from app.operations.account_rules import KIND_RULES
from app.operations.first_listing import FirstListing
from app.presentation.account_list import (
    COLUMNS,
    AccountFilter,
    AccountRow,
    models_of,
)
from app.presentation.accounts import AccountView, resumed_text, state_label
from app.presentation.names import Names
from app.presentation.requests import RequestView, recent_errors
from app.presentation.row_order import DEFAULT_COLUMN, sort_rows
from schemas.accounts import AccountInput

NUMBERS = ("cap", "weight", "group")
STREAMING = ((POOL_SETTING, "the pool's setting"), ("auto", "auto"), ("always", "always"), ("never", "never"))
# titles of the kinds that the form adds; kinds with a known address come first
KIND_CHOICES = sorted(
    (
        (kind.name, kind.setup.title, kind.setup.summary)
        for kind in KINDS.values()
        if kind.setup and kind.setup.title
    ),
    key=lambda choice: KIND_RULES[choice[0]].needs_base_url,
)
REMOVE = ConfirmedChange(
    "Remove",
    "account",
    "Its credential is deleted. Requests in progress continue, and its usage stays in the ledger.",
    section="accounts.show",
    checks=(("force", "Remove it even if keys are restricted to it"),),
)
KIND_TITLES = {name: title for name, title, _ in KIND_CHOICES}
bp = page_blueprint("accounts", "/accounts")


@bp.get("")
def show() -> Any:
    """List the accounts of the pool."""
    every = read_rows(services(), g.pool)
    matching = AccountFilter.from_query(request.args)
    sort = parse_sort(request.args.get("sort"), COLUMNS, DEFAULT_COLUMN)
    rows = sort_rows(filter(matching.matches, every), COLUMNS, sort.column, descending=sort.descending)
    return render_template(
        "accounts/show.html",
        section="accounts.show",
        rows=rows,
        total=len(every),
        sort=sort,
        filters=_filters(every),
        bulk_actions=bulk_accounts.PAGE.buttons,
    )


def _filters(rows: Sequence[AccountRow]) -> list[Filter]:
    """Return the filters of the list, with the values that occur in *rows* as options."""
    states = sorted({row.view.state for row in rows})
    plans = sorted({row.identity.plan for row in rows if row.identity.plan})
    filters = [
        Filter("kind", "Kind", sorted({row.account.kind for row in rows})),
        Filter("state", "State", [(state, state_label(state)) for state in states]),
        Filter("plan", "Plan", plans),
        Filter("model", "Model", models_of(rows), free=True),
    ]
    return [one for one in filters if one.options]


@bp.get("/<name>")
def detail(name: str) -> Any:
    """Show one account: state, usage and recent errors."""
    app_services, span = services(), usage_summary.span_of(request.args)
    account = app_services.accounts.find_without_credential(g.pool, name)
    only = Only(Grouping.ACCOUNT, account.id)
    used = usage_summary.summarize_usage(app_services, g.pool, span, only)
    month = usage_summary.summarize_usage(app_services, g.pool, Span.MONTH, only)
    return render_template(
        "accounts/detail.html",
        section="accounts.show",
        view=_view(account),
        span=span,
        spans=usage_summary.SPANS,
        findings=account_findings(app_services, g.pool, account.id),
        periods=[("Today", _period_text(month.points[-1:])), ("Last 30 days", _period_text(month.points))],
        identity=app_services.accounts.identity(g.pool, account.id),
        models=_models_with_prices(account),
        has_websocket=kind_of(account).websocket_headers is not None,
        totals=used.account_totals(),
        charts=used.charts(),
        failures=sorted(account.failures.items(), key=lambda item: (-item[1], item[0])),
        errors=_recent_errors().get(account.id, [])[:10],
    )


def _view(account: Account) -> AccountView:
    """Return *account* as it is now, with its resting models."""
    now = services().clock.now()
    return AccountView(account, now, services().model_rests.of_account(g.pool, account.id, now))


def _period_text(days: Sequence[Mapping[str, int]]) -> str:
    """Return what an account did on *days*: `12 requests, 1 failed attempt, $0.25`."""
    requests, failed, cost = (
        sum(day.get(name, 0) for day in days) for name in ("requests", "failed_attempts", "cost")
    )
    failures = f"{counted(failed, 'failed attempt')}, " if failed else ""
    return f"{counted(requests, 'request')}, {failures}{dollars(cost)}"


def _models_with_prices(account: Account) -> list[tuple[str, bool]]:
    """Return the models that *account* may serve, and whether each has a price."""
    prices = services().prices.current(g.pool)
    return [(model, prices.find(model) is not None) for model in sorted(account.offered_models, key=natural)]


def _recent_errors() -> dict[str, list[RequestView]]:
    app_services = services()
    names = Names.read(g.pool, app_services.api_keys, app_services.accounts)
    return recent_errors(app_services.ledger.entries, g.pool, names)


@bp.route("/add", methods=["GET", "POST"])
def add() -> Any:
    """Show the kinds of account or, for one kind, the form that adds an account by an API key."""
    kind_name = request.form.get("kind") or request.args.get("kind", "")
    if kind_name not in KIND_TITLES:
        return render_template("accounts/kinds.html", section="accounts.show", kinds=KIND_CHOICES)
    kind, own = KINDS[kind_name], ("kind", "name", "credential", "base_url", "models", "stream_upstream")
    typed = request.form or {"stream_upstream": POOL_SETTING}
    form = Form(typed, *own, *NUMBERS, "wires", *account_settings.input_names(typed))
    if request.method == "POST" and (response := _add(form, kind)):
        return response
    return render_template(
        "accounts/add.html",
        section="accounts.show",
        form=form,
        kind=kind,
        title=KIND_TITLES[kind_name],
        needs_base_url=KIND_RULES[kind_name].needs_base_url,
        example_url=_example_url(kind),
        models=choices.model_choices(),
        streaming=STREAMING,
        response_model=account_settings.RESPONSE_MODEL,
        websocket=account_settings.WEBSOCKET,
        rows=account_settings.row_counts(form),
        limits=account_settings.MAX_ROWS,
        has_websocket=kind.websocket_headers is not None,
    ), form.status


def _example_url(kind: Kind) -> str:
    """Return the base URL to show as an example for *kind*."""
    found = re.search(r"--base-url (\S+)", kind.setup.example if kind.setup else "")
    return found[1] if found else "https://host/v1"


def _add(form: Form, kind: Kind) -> Any:
    """Add the account of *kind* in *form*, and return the redirect to its page; None if *form* has errors."""
    fields: dict[str, Any] = {"kind": kind.name, **form.filled("name", "base_url", "stream_upstream")}
    fields |= {name: form.integer(name) for name in form.filled(*NUMBERS)}
    fields |= {"models": form.lines("models")} if form["models"].strip() else {}
    protocols = [protocol for protocol in (CHAT, RESPONSES) if form[f"wire_{protocol}"]]
    fields |= {"wires": protocols} if protocols else {}
    fields |= account_settings.settings_fields(form)
    _require(form, kind)
    with form.collect_errors():
        changes = AccountInput(KIND_RULES).load(fields)
        if not form.errors:
            added = operations().accounts.add(g.pool, changes, credential=form["credential"].strip())
            listing = operations().accounts.fetch_listing(g.pool, added)
            outcome = "; ".join((f"Account {added.name} was added", *added.remarks))
            return redirect_with_listing(outcome, listing, added.name)
    return None


def _require(form: Form, kind: Kind) -> None:
    """Record missing fields that accounts of *kind* require: the schema would report these last."""
    if KIND_RULES[kind.name].needs_base_url and not form["base_url"].strip():
        form.add_error("base_url", "is required")
    if kind.setup and kind.setup.needs_credential and not form["credential"].strip():
        form.add_error("credential", "is required")


def redirect_with_listing(outcome: str, listing: FirstListing, name: str) -> Any:
    """Redirect to the page of the account *name*, with *outcome* and the result of listing its models."""
    if listing.ok:
        return redirect_with_notice(f"{outcome}: {listing.sentence()}.", "accounts.detail", name=name)
    return redirect_with_warning(f"{outcome}, but: {listing.sentence()}", "accounts.detail", name=name)


@bp.route("/<name>/edit", methods=["GET", "POST"])
def edit(name: str) -> Any:
    """Change the limits, models or API key of an account."""
    account = services().accounts.find_without_credential(g.pool, name)
    now = {field: str(getattr(account, field)) for field in (*NUMBERS, "stream_upstream")}
    now |= {"models": ", ".join(account.models), **account_settings.input_texts(account.settings)}
    typed = request.form or now
    inputs = ("models", "credential", "stream_upstream", *NUMBERS, *account_settings.input_names(typed))
    form = Form(typed, *inputs)
    check_shown(form, now, "account", name)
    if request.method == "POST":
        fields: dict[str, Any] = {field: form.integer(field) for field in NUMBERS}
        fields |= form.filled("stream_upstream")
        fields |= account_settings.settings_fields(form, account.settings)
        with form.collect_errors():
            changes = AccountInput().load(fields | {"models": form.lines("models")}, partial=True)
            if not form.errors:
                operations().accounts.change(g.pool, name, changes, credential=form["credential"].strip())
                listing = operations().accounts.list_models(g.pool, name)
                return redirect_with_listing(f"Account {name} was changed", listing, name)
    return render_template(
        "accounts/edit.html",
        section="accounts.show",
        account=account,
        findings=account_findings(services(), g.pool, account.id),
        form=form,
        models=choices.model_choices([account]),
        has_websocket=kind_of(account).websocket_headers is not None,
        streaming=STREAMING,
        response_model=account_settings.RESPONSE_MODEL,
        websocket=account_settings.WEBSOCKET,
        rows=account_settings.row_counts(form),
        limits=account_settings.MAX_ROWS,
    ), form.status


@bp.post("/<name>/pause")
def pause(name: str) -> Any:
    """Pause an account."""
    operations().accounts.pause(g.pool, name)
    return _return_to_page(
        name, f"Account {name} was paused: it gets no new requests, and requests in progress continue."
    )


@bp.post("/<name>/resume")
def resume(name: str) -> Any:
    """Resume an account, and let its resting models be tried again."""
    before = _view(services().accounts.find_without_credential(g.pool, name))
    operations().accounts.resume(g.pool, name)
    return _return_to_page(name, resumed_text(before, f"account {name}"))


@bp.post("/<name>/forget-refused")
def forget_refused(name: str) -> Any:
    """Send an account again the fields that its server has refused."""
    operations().accounts.forget_refused(g.pool, name)
    return _return_to_page(name, f"Requests to account {name} have every field again.")


def _return_to_page(name: str, message: str) -> Any:
    """Redirect to the page whose button was pressed."""
    if urlsplit(request.referrer or "").path == url_for("accounts.show"):
        return redirect_with_notice(message, "accounts.show")
    return redirect_with_notice(message, "accounts.detail", name=name)


@bp.route("/<name>/remove", methods=["GET", "POST"])
def remove(name: str) -> Any:
    """Remove an account, after a confirmation."""
    services().accounts.find_without_credential(g.pool, name)
    warnings = operations().accounts.find_removal_warnings(g.pool, [name])
    change = replace(REMOVE, text=" ".join((REMOVE.text, *(f"Note: {warning}." for warning in warnings))))

    def operation(form: Form) -> None:
        operations().accounts.remove(g.pool, name, although_bound=bool(form["force"]))

    back, then = url_for("accounts.detail", name=name), url_for("accounts.show")
    return confirm(change, name, operation, back=back, then=then)


@bp.route("/<name>/test", methods=["GET", "POST"])
def test(name: str) -> Any:
    """Send a test request to an account."""
    account = services().accounts.find_without_credential(g.pool, name)
    models = tuple(dict.fromkeys((*account.offered_models, *account.listed)))
    form = Form(request.form, "model")
    result = None
    if request.method == "POST":
        with form.collect_errors():
            result = operations().accounts.test(g.pool, name, form["model"].strip())
    return render_template(
        "accounts/test.html", section="accounts.show", name=name, form=form, models=models, result=result
    ), form.status

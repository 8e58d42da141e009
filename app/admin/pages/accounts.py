"""Accounts: how each does, and what may be done about it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

from flask import g, render_template, request, url_for

from app.accounts.account import WIRES
from app.accounts.snapshot import glance
from app.admin.guard import operations
from app.admin.pages import usage_summary
from app.admin.pages.forms import Form
from app.admin.pages.layout import done, page_blueprint
from app.admin.pages.ledger_rows import RowView, names_of
from app.admin.pages.views import account_view, store_time
from app.admin.services import services
from app.ledger import tail
from app.operations.first_listing import FirstListing
from schemas.accounts import AccountInput

NEWEST = 300  # ledger rows looked through for errors
ERRORS_SHOWN = 3
NUMBERS = ("cap", "weight", "group")

bp = page_blueprint("accounts", "/accounts")


@bp.get("")
def show() -> Any:
    client = services().scripts.client
    now = store_time(client)
    views = [account_view(account, now) for account in glance(client, g.pool)]
    errors = {one: rows[:ERRORS_SHOWN] for one, rows in _errors().items()}
    return render_template(
        "accounts/show.html", place="accounts.show", views=views, errors=defaultdict(list, errors)
    )


@bp.get("/<name>")
def one(name: str) -> Any:
    found, span = services(), usage_summary.span_of(request.args)
    account = found.accounts.described(g.pool, name)
    used = usage_summary.used(found, g.pool, span, account_id=account.id)
    return render_template(
        "accounts/one.html",
        place="accounts.show",
        view=account_view(account, store_time(found.scripts.client)),
        span=span,
        spans=usage_summary.SPANS,
        totals=used.of_account(),
        charts=used.charts(),
        failures=sorted(account.failures.items(), key=lambda one: (-one[1], one[0])),
        errors=_errors().get(account.id, [])[:10],
    )


def _errors() -> dict[str, list[RowView]]:
    """
    Return the failed attempts among the newest requests, by account, newest first.

    Also those that another account rescued. Several of one request at one account are one.
    """
    client = services().scripts.client
    names = names_of(client, g.pool)
    found: dict[str, list[RowView]] = defaultdict(list)
    for _, row in reversed(tail.after(client, g.pool, "", NEWEST)):
        failed = {
            attempt["account"]: attempt
            for attempt in row.get("attempts", ())
            if "failure" in attempt and attempt.get("scope") != "request"
        }
        if row["status"] >= 400 and row["status"] != 499:
            failed.setdefault(row["account"], {})
        for account_id, attempt in failed.items():
            found[account_id].append(RowView(row, names, attempt=attempt))
    return found


@bp.route("/add", methods=["GET", "POST"])
def add() -> Any:
    fields = ("kind", "name", "credential", "base_url", "models", *NUMBERS)
    form = Form(request.form or {"kind": "openai"}, *fields)
    if request.method == "POST":
        said = form.said("kind", "name", "base_url") | {n: form.whole(n) for n in form.said(*NUMBERS)}
        said |= {"models": form.lines("models")} if form["models"].strip() else {}
        wires = [wire for wire in WIRES["openai"] if form[f"wire_{wire}"]]
        said |= {"wires": wires} if wires else {}
        with form.checked():
            added = operations().accounts.add(
                g.pool, AccountInput().load(said), credential=form["credential"].strip()
            )
            found = operations().accounts.fetch_listing(g.pool, added)
            message = first_look_message(f"Account {added.name} was added", found)
            return done(message, "accounts.one", name=added.name)
    return render_template("accounts/add.html", place="accounts.show", form=form), form.status


def first_look_message(done_text: str, found: FirstListing) -> str:
    """Return what a page says after an account was added or signed in: what was done, and how it answers."""
    return f"{done_text}: {found.sentence()}." if found.ok else f"{done_text}, but: {found.sentence()}"


@bp.route("/<name>/edit", methods=["GET", "POST"])
def edit(name: str) -> Any:
    account = services().accounts.described(g.pool, name)
    now = {field: str(getattr(account, field)) for field in NUMBERS} | {"models": ", ".join(account.models)}
    form = Form(request.form or now, "models", "credential", *NUMBERS)
    if request.method == "POST":
        said: dict[str, Any] = {field: form.whole(field) for field in NUMBERS}
        with form.checked():
            wish = AccountInput().load(said | {"models": form.lines("models")}, partial=True)
            operations().accounts.change(g.pool, name, wish, credential=form["credential"].strip())
            return done(f"Account {name} was changed.", "accounts.one", name=name)
    return render_template(
        "accounts/edit.html", place="accounts.show", account=account, form=form, models=account.listed
    ), form.status


@bp.post("/<name>/pause")
def pause(name: str) -> Any:
    operations().accounts.pause(g.pool, name)
    return _back(
        name, f"Account {name} was paused: it gets no new requests, and requests in progress continue."
    )


@bp.post("/<name>/resume")
def resume(name: str) -> Any:
    operations().accounts.resume(g.pool, name)
    return _back(name, f"Account {name} was resumed.")


def _back(name: str, message: str) -> Any:
    """Lead to the page on which the button was."""
    if urlsplit(request.referrer or "").path == url_for("accounts.show"):
        return done(message, "accounts.show")
    return done(message, "accounts.one", name=name)


@bp.route("/<name>/remove", methods=["GET", "POST"])
def remove(name: str) -> Any:
    services().accounts.described(g.pool, name)
    form = Form(request.form, "force")
    if request.method == "POST":
        with form.checked():
            operations().accounts.remove(g.pool, name, although_bound=bool(form["force"]))
            return done(f"Account {name} was removed.", "accounts.show")
    return render_template(
        "confirm.html",
        place="accounts.show",
        form=form,
        question=f"Remove account {name}?",
        told=["Its credential is deleted. Requests in progress continue, and its usage stays in the ledger."],
        checks=[("force", "Remove it even if keys are restricted to it")],
        yes="Remove",
        danger=True,
        back=url_for("accounts.one", name=name),
    ), form.status


@bp.route("/<name>/test", methods=["GET", "POST"])
def test(name: str) -> Any:
    account = services().accounts.described(g.pool, name)
    models = (*account.models, *account.listed)
    form = Form(request.form, "model")
    told = None
    if request.method == "POST":
        with form.checked():
            told = operations().accounts.test(g.pool, name, form["model"].strip())
    return render_template(
        "accounts/test.html", place="accounts.show", name=name, form=form, models=models, told=told
    ), form.status

"""Pages for signing in to ChatGPT accounts: with a code, a browser, or the auth.json of Codex."""

from __future__ import annotations

from typing import Any

from flask import g, render_template, request

from app.accounts.account import Account
from app.accounts.kinds import SIGN_IN_KIND
from app.admin.guard import operations
from app.admin.pages.accounts import redirect_with_listing
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.services import services
from app.operations.account_rules import KIND_RULES
from app.stores.records.sign_in_flows import SignInFlow, SignInMethod
from schemas.accounts import AccountInput

MAX_FILE_BYTES = 1024 * 1024

bp = page_blueprint("sign_ins", "/sign-ins")


@bp.route("/device", methods=["GET", "POST"])
def device() -> Any:
    """Sign in with a code that is entered in any browser."""
    form, flow, waiting = Form(request.values, "name"), None, False
    if form["do"] == "poll":
        with form.collect_errors():
            flow = _flow(form, SignInMethod.DEVICE)
            account = operations().sign_ins.poll_device(g.pool, flow.id)
            if account is not None:
                return _signed_in(account)
            waiting = True
    elif request.method == "POST":
        with form.collect_errors():
            flow = operations().sign_ins.begin_device(g.pool, _name(form))
    return render_template(
        "accounts/device.html", section="accounts.show", form=form, flow=flow, waiting=waiting
    ), form.status


@bp.route("/browser", methods=["GET", "POST"])
def browser() -> Any:
    """Sign in with a browser, and paste its last address."""
    form, flow = Form(request.values, "name", "address"), None
    if form["do"] == "finish":
        with form.collect_errors():
            flow = _flow(form, SignInMethod.BROWSER)
            return _signed_in(operations().sign_ins.complete_browser(g.pool, flow.id, form["address"]))
    elif request.method == "POST":
        with form.collect_errors():
            flow = operations().sign_ins.begin_browser(g.pool, _name(form))
    return render_template(
        "accounts/browser.html", section="accounts.show", form=form, flow=flow
    ), form.status


@bp.route("/file", methods=["GET", "POST"])
def file() -> Any:
    """Import the auth.json of Codex."""
    form = Form(request.values, "name", "file")
    if request.method == "POST":
        form.redirect_errors("", "file")  # errors of the content have no parameter
        with form.collect_errors():
            name, sent = _name(form), request.files.get("file")
            data = sent.read(MAX_FILE_BYTES) if sent else b""
            return _signed_in(operations().sign_ins.import_auth_json(g.pool, name, data))
    return render_template("accounts/file.html", section="accounts.show", form=form), form.status


def _name(form: Form) -> str:
    """Return the submitted account name. Raises ValidationError if it is invalid."""
    fields = {"kind": SIGN_IN_KIND, "name": form["name"].strip()}
    return str(AccountInput(KIND_RULES).load(fields)["name"])


def _flow(form: Form, way: SignInMethod) -> SignInFlow:
    return services().sign_in_flows.find(g.pool, form["flow"], way)


def _signed_in(account: Account) -> Any:
    listing = operations().accounts.fetch_listing(g.pool, account)
    outcome = f"Account {account.name} is signed in and is refreshed automatically"
    outcome = "; ".join((outcome, *account.remarks))
    return redirect_with_listing(outcome, listing, account.name)

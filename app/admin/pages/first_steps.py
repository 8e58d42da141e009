"""Page of the first steps: add an account, create a key, send a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import g, render_template, request

from app.accounts.account import Account
from app.admin.pages import self_test
from app.admin.pages.forms import Form
from app.admin.pages.layout import base_url, page_blueprint
from app.admin.services import services
from app.presentation.snippets import snippets

bp = page_blueprint("start", "/start")


@dataclass(frozen=True, slots=True)
class Step:
    """One of the first steps, and whether it is done or current."""

    label: str
    done: bool
    now: bool = False


@bp.route("", methods=["GET", "POST"])
def show() -> Any:
    """Show the current step; on POST, send the test request of the last step."""
    app_services = services()
    accounts = app_services.accounts.all(g.pool)
    has_key = bool(app_services.api_keys.all(g.pool))
    step = "account" if not accounts else "key" if not has_key else "test"
    models = _models(accounts)
    form = Form(request.form or {"model": models[0] if models else "gpt-5.2"}, "key", "model")
    result = _run_test(form) if request.method == "POST" and step == "test" else None
    has_request = (result is not None and result.ok) or app_services.ledger.entries.newest_id(g.pool) != "0"
    steps = [
        Step("Add an account", bool(accounts), step == "account"),
        Step("Create a key", has_key, step == "key"),
        Step("Send a request", has_request, step == "test"),
    ]
    return render_template(
        "first_steps/show.html",
        section="overview.show",
        form=form,
        step=step,
        steps=steps,
        result=result,
        models=models,
        line=next(one.text for one in snippets(base_url(), form["model"]) if one.client == "curl"),
    ), form.status


def _run_test(form: Form) -> self_test.SelfTestResult | None:
    key, model = form["key"].strip(), form["model"].strip()
    if not (key.isascii() and key.isprintable() and key):
        form.add_error("key", "must be the key that was shown when it was created; it begins with sk-pg-")
    if not model:
        form.add_error("model", "is missing")
    settings = services().settings
    return None if form.errors else self_test.run_self_test(settings.bind, settings.port, key, model)


def _models(accounts: list[Account]) -> list[str]:
    return sorted({model for account in accounts for model in (*account.offered_models, *account.listed)})[
        :200
    ]

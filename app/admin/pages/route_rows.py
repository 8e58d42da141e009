"""
The targets of a model route as rows of a form, which `settings/model_routes.html` draws.

The fields of row 2 are `target_2_model`, `target_2_accounts`, `target_2_weight` and `target_2_order`. A
target either is tried after the row above, or shares its conversations. A row without a model and accounts is
blank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.accounts.account import Account
from app.accounts.route_syntax import RouteTarget, is_group
from app.admin.pages import forms
from app.admin.pages.forms import Form
from app.operations.unlisted_models import lists_model
from app.suggestions import suggestion
from schemas.bounds import MAX_ROUTE_STEPS, MAX_ROUTE_TARGETS

MAX_ROWS = MAX_ROUTE_STEPS * MAX_ROUTE_TARGETS
LEAST_ROWS = 3
NEXT, SHARED = "next", "shared"
ORDERS = ((NEXT, "next"), (SHARED, "together with the row above"))
PARTS = ("model", "accounts", "weight", "order")


def count_rows(typed: Mapping[str, str]) -> int:
    """Return the number of rows of the form that shows, or was submitted with, the values *typed*."""
    return forms.count_rows(typed, "target", "model", least=LEAST_ROWS, most=MAX_ROWS)


def row_fields(typed: Mapping[str, str]) -> list[str]:
    """Return the names of the fields of all rows."""
    return [f"target_{n}_{part}" for n in range(1, count_rows(typed) + 1) for part in PARTS]


def row_values(steps: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """Return the values of a form with *steps*, which are those of a RouteView."""
    values: dict[str, str] = {}
    targets = [(target, index) for step in steps for index, target in enumerate(step)]
    for number, (target, index) in enumerate(targets, 1):
        values |= {
            f"target_{number}_model": target["model"],
            f"target_{number}_accounts": ", ".join(target["accounts"]),
            f"target_{number}_weight": str(target["weight"]) if target["weight"] != 1 else "",
            f"target_{number}_order": SHARED if index else NEXT,
        }
    return values


def read_steps(form: Form, pool_accounts: Sequence[Account]) -> list[list[RouteTarget]]:
    """
    Return the steps in the rows of *form*, as a RouteInput has them.

    Errors are recorded at the fields of their row: accounts that are not among *pool_accounts*, and errors
    that the schema finds later.
    """
    known = {account.name for account in pool_accounts}
    form.check_rows("target", MAX_ROWS)
    steps: list[list[RouteTarget]] = []
    for number in range(1, count_rows(form.typed) + 1):
        start = f"target_{number}_"
        model, accounts = form[start + "model"].strip(), form.lines(start + "accounts")
        if not model and not accounts:
            continue
        if not steps or form[start + "order"] != SHARED:
            steps.append([])
        target: RouteTarget = {"model": model, "accounts": accounts}
        if form[start + "weight"].strip():
            target["weight"] = form.integer(start + "weight")
        for part in ("model", "accounts", "weight"):
            form.redirect_errors(("steps", len(steps) - 1, len(steps[-1]), part), start + part)
        if not model:
            form.add_error(start + "model", "A model is missing")
        elif not accounts and (problem := _account_in_model(model, pool_accounts)):
            form.add_error(start + "model", problem)
        if unknown := [name for name in accounts if name not in known and not is_group(name)]:
            similar = suggestion(unknown[0], known)
            form.add_error(start + "accounts", f"There is no account named '{unknown[0][:64]}'{similar}")
        steps[-1].append(target)
    return steps


def _account_in_model(model: str, accounts: Sequence[Account]) -> str:
    """Return the error for a *model* `m@main` as commands take it, unless an account lists it; else ''."""
    name, _, account = model.rpartition("@")
    if not name or account not in {one.name for one in accounts}:
        return ""
    if any(lists_model(one, model) for one in accounts):
        return ""
    return f"No account lists '{model[:64]}'. Enter '{name[:64]}' here, and '{account}' under Accounts"

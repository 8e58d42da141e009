"""Changes of several accounts at once: a confirmation, then the result of each account."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import flash, g, redirect, render_template, request, url_for

from app.admin.guard import operations
from app.admin.pages.account_rows import read_rows
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.services import services
from app.errors import InvalidRequest
from app.formatting import counted
from app.operations.accounts import AccountOperations
from app.operations.each import Result, apply_each
from app.presentation.account_list import AccountFilter
from schemas.accounts import AccountInput
from schemas.bulk import MAX_BULK

WORKERS = 16  # accounts that are queried at the same time
TEST_SECONDS = 15.0  # for one account

bp = page_blueprint("account_bulk", "/account-changes")

Run = Callable[[AccountOperations, str, str, Form], str]  # (operations, pool, name, form) -> a result


@dataclass(frozen=True, slots=True)
class BulkChange:
    """
    A change of several accounts; `text` is what follows from it.

    `done` is the participle of the notice. `run` returns a result to show, or '' where the notice is enough.
    """

    verb: str
    text: str
    done: str
    run: Run
    fields: Sequence[tuple[str, str, str]] = ()  # (name, label, hint) of the numbers that it takes
    check: tuple[str, str] | None = None  # (name, label) of a box to tick


def _pause(accounts: AccountOperations, pool: str, name: str, form: Form) -> str:
    accounts.pause(pool, name)
    return ""


def _resume(accounts: AccountOperations, pool: str, name: str, form: Form) -> str:
    accounts.resume(pool, name)
    return ""


def _remove(accounts: AccountOperations, pool: str, name: str, form: Form) -> str:
    accounts.remove(pool, name, although_bound=bool(form["force"]))
    return ""


def _test(accounts: AccountOperations, pool: str, name: str, form: Form) -> str:
    result = accounts.test(pool, name, seconds=TEST_SECONDS)
    if result.error:
        raise InvalidRequest(f"{result.model}: {result.error['message']}")
    return f"{result.model} answered after {result.total_ms} ms"


def _list_models(accounts: AccountOperations, pool: str, name: str, form: Form) -> str:
    listing = accounts.list_models(pool, name)
    if not listing.ok:
        raise InvalidRequest(listing.sentence())
    return listing.sentence()


def _set_numbers(accounts: AccountOperations, pool: str, name: str, form: Form) -> str:
    accounts.change(pool, name, _numbers(form))
    return ""


def _numbers(form: Form) -> dict[str, Any]:
    """Return the numbers of *form* that were filled in. Raises ValidationError, InvalidRequest."""
    filled = {name: form.integer(name) for name in form.filled("weight", "group", "cap")}
    if not filled:
        raise InvalidRequest("Fill in at least one number")
    changes: dict[str, Any] = AccountInput().load(filled, partial=True)
    return changes


CHANGES: Mapping[str, BulkChange] = {
    "pause": BulkChange(
        "Pause", "They get no new requests. Requests in progress continue.", "paused", _pause
    ),
    "resume": BulkChange(
        "Resume", "They are used again, whatever the reason of their state.", "resumed", _resume
    ),
    "test": BulkChange(
        "Test",
        f"Each is sent one short request for its cheapest model, and has {TEST_SECONDS:g} s to answer. "
        "That may cost a fraction of a cent each.",
        "tested",
        _test,
    ),
    "models": BulkChange(
        "Refresh the models of", "Each is queried for the models that it lists now.", "queried", _list_models
    ),
    "numbers": BulkChange(
        "Change the weight, group or cap of",
        "What is left empty stays as it is.",
        "changed",
        _set_numbers,
        fields=(
            ("weight", "Weight", "Share of the load, 1 to 1000."),
            ("group", "Group", "Lower groups are used first under the policy “ordered”."),
            ("cap", "Maximum concurrent requests", "Of each account."),
        ),
    ),
    "remove": BulkChange(
        "Remove",
        "Their credentials are deleted. Requests in progress continue, and their usage stays in the ledger.",
        "removed",
        _remove,
        check=("force", "Remove them even if keys are restricted to them"),
    ),
}


@bp.post("")
def change() -> Any:
    """Show the question of a change, and make it once it is confirmed."""
    do = request.form.get("do", "")
    if do not in CHANGES:
        raise InvalidRequest("There is no such change", param="do")
    requested, names = CHANGES[do], _names()
    form = Form(request.form, *(name for name, _, _ in requested.fields))
    if not names:
        return _return_to_list("No account was selected.")
    if len(names) > MAX_BULK:
        return _return_to_list(f"At most {MAX_BULK} accounts can be changed at once; none was.")
    if request.form.get("confirmed"):
        with form.collect_errors():
            if requested.fields:
                _numbers(form)
            return _result_page(requested, _make(requested, names, form))
    return render_template(
        "accounts/bulk.html",
        section="accounts.show",
        form=form,
        do=do,
        change=requested,
        question=f"{requested.verb} {counted(len(names), 'account')}?",
        names=names,
        back=_back(),
    ), form.status


def _names() -> list[str]:
    """Return the names of the selected accounts, or of all that the list showed."""
    if not request.form.get("all"):
        return list(dict.fromkeys(request.form.getlist("name")))
    matching = AccountFilter.from_query(dict(parse_qsl(urlsplit(_back()).query)))
    return [row.account.name for row in read_rows(services(), g.pool) if matching.matches(row)]


def _make(requested: BulkChange, names: Sequence[str], form: Form) -> list[Result]:
    accounts, pool = operations().accounts, g.pool
    return apply_each(lambda name: requested.run(accounts, pool, name, form), names, workers=WORKERS)


def _result_page(requested: BulkChange, results: Sequence[Result]) -> Any:
    """Return to the list if there is no more to show than that all was done."""
    failed = [result for result in results if not result.ok]
    done = counted(len(results) - len(failed), "account")
    notice = f"{done} {'was' if len(results) - len(failed) == 1 else 'were'} {requested.done}."
    if not failed and not any(result.text for result in results):
        return _return_to_list(notice)
    return render_template(
        "accounts/bulk_results.html",
        section="accounts.show",
        change=requested,
        results=sorted(results, key=lambda result: result.ok),
        summary=notice if not failed else f"{notice} {counted(len(failed), 'account')} failed.",
        back=_back(),
    )


def _return_to_list(notice: str) -> Any:
    flash(notice)
    return redirect(_back(), 303)


def _back() -> str:
    """Return the address of the list that the change was made on."""
    home, back = url_for("accounts.show"), request.form.get("back", "")
    is_list = back == home or back.startswith(f"{home}?")
    return back if is_list and back.isprintable() else home  # a header has no line breaks

"""Changes of several accounts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import g

from app.accounts.account import Account
from app.admin.guard import operations
from app.admin.pages.account_rows import read_rows
from app.admin.pages.bulk import Apply, BulkChange, BulkPage, without_fields
from app.admin.pages.forms import Form
from app.admin.pages.layout import page_blueprint
from app.admin.services import services
from app.errors import InvalidRequest
from app.operations.accounts import bulk_part
from app.operations.each import unless_equal
from app.presentation.account_list import AccountFilter
from schemas.accounts import AccountInput

WORKERS = 16  # accounts that are queried in parallel, in threads without a request
TEST_SECONDS = 15.0  # of the test request of one account
NUMBERS = ("weight", "group", "cap")

bp = page_blueprint("bulk_accounts", "/bulk/accounts")


def _remove(form: Form) -> Apply:
    accounts, pool, force = operations().accounts, g.pool, bool(form["force"])
    return lambda name: accounts.remove(pool, name, although_bound=force)


def _test(_: Form) -> Apply:
    accounts, pool = operations().accounts, g.pool

    def apply(name: str) -> str:
        result = accounts.test(pool, name, seconds=TEST_SECONDS)
        if result.error:
            raise InvalidRequest(f"{result.model}: {result.error['message']}")
        return f"{result.model} answered after {result.total_ms} ms"

    return apply


def _list_models(_: Form) -> Apply:
    accounts, pool = operations().accounts, g.pool

    def apply(name: str) -> str:
        listing = accounts.list_models(pool, name)
        if not listing.ok:
            raise InvalidRequest(listing.sentence())
        return listing.sentence()

    return apply


def _pause(_: Form) -> Apply:
    accounts, pool = operations().accounts, g.pool
    return _unless_equal(lambda name: accounts.pause(pool, name))


def _set_numbers(form: Form) -> Apply:
    filled = {name: form.integer(name) for name in form.filled(*NUMBERS)}
    if not filled:
        raise InvalidRequest("Fill in at least one number")
    changes = AccountInput().load(filled, partial=True)
    accounts, pool = operations().accounts, g.pool
    return _unless_equal(lambda name: accounts.change(pool, name, changes))


def _unless_equal(apply: Callable[[str], Account]) -> Apply:
    return unless_equal(partial(services().accounts.find_without_credential, g.pool), apply, bulk_part)


def _matching(query: Mapping[str, str]) -> list[str]:
    matching = AccountFilter.from_query(query)
    return [row.account.name for row in read_rows(services(), g.pool) if matching.matches(row)]


CHANGES = {
    "pause": BulkChange(
        "Pause",
        "paused",
        "They get no new requests. Requests in progress continue.",
        _pause,
    ),
    "resume": BulkChange(
        "Resume",
        "resumed",
        "They get requests again, whatever took them out of use.",
        without_fields(lambda all_of: all_of.accounts.resume),
    ),
    "test": BulkChange(
        "Test",
        "tested",
        f"Each gets one short request for its cheapest model, and has {TEST_SECONDS:g} s to answer. "
        "A test may cost a fraction of a cent.",
        _test,
    ),
    "models": BulkChange(
        "Refresh models", "queried", "Each is queried for its current list of models.", _list_models
    ),
    "numbers": BulkChange(
        "Set weight, group, cap", "changed", "Empty fields stay as they are.", _set_numbers
    ),
    "remove": BulkChange(
        "Remove",
        "removed",
        "Their credentials are deleted. Requests in progress continue, and their usage stays in the ledger.",
        _remove,
        True,
        lambda names: operations().accounts.find_removal_warnings(g.pool, names),
    ),
}
PAGE = BulkPage(
    "account",
    "accounts.show",
    "accounts.show",
    CHANGES,
    "accounts/bulk.html",
    NUMBERS,
    _matching,
    workers=WORKERS,
)


@bp.post("")
def change() -> Any:
    """Show the confirmation of a change of several accounts; once it is confirmed, make the change."""
    return PAGE.respond()

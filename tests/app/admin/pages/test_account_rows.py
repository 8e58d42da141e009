"""What the rows of accounts are read from."""

from __future__ import annotations

import time

from app.accounts.account import Account
from app.accounts.oauth_tokens import Tokens
from app.admin.pages.account_rows import read_rows
from app.presentation.account_list import AccountRow, LastUse
from app.stores import keys
from app.wiring import Services
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.ledger_rows import record_request


def rows_by_name(services: Services) -> dict[str, AccountRow]:
    return {row.account.name: row for row in read_rows(services, POOL)}


def test_figures_of_today(services: Services, pool: Furnished) -> None:
    """Attempts that another account rescued count at the account that failed."""
    main, spare = pool.account("main"), pool.account("spare")
    attempts = [
        {"account": main.id, "failure": "server_error", "scope": "account"},
        {"account": spare.id},
    ]
    record_request(
        services.scripts,
        POOL,
        time.time(),
        account=spare.id,
        attempts=attempts,
        cost=70,
        attempts_counted=True,
    )

    rows = rows_by_name(services)

    assert rows["spare"].today["cost"] == 70
    assert (rows["spare"].today["attempts"], rows["spare"].today["failed_attempts"]) == (1, 0)
    assert rows["main"].today["requests"] == 0


def test_last_use(services: Services, pool: Furnished) -> None:
    """It is exact, however many requests to other accounts came after it."""
    pool.account("never")
    used = pool.account("used")
    at_ms = round((time.time() - 2 * 86_400) * 1000)
    services.scripts.client.hset(keys.account(POOL, used.id), "picked_ms", at_ms)

    rows = rows_by_name(services)

    assert rows["used"].last_use == LastUse(at_ms / 1000, is_exact=True)
    assert rows["never"].last_use is None


def test_the_day_is_known_of_an_earlier_use(services: Services, pool: Furnished) -> None:
    """An earlier version did not store the time; a roll-up has the day."""
    account = pool.account("before")
    at = time.time() - 5 * 86_400
    record_request(services.scripts, POOL, at, account=account.id)
    services.scripts.client.delete(keys.ledger(POOL))

    last = rows_by_name(services)["before"].last_use

    assert last
    assert not last.is_exact
    assert at - 2 * 86_400 < last.at <= at


def test_the_plan_of_a_sign_in(services: Services, pool: Furnished) -> None:
    """A sign-in that cannot be read here has none, and hides no account."""
    for name, plan in (("plus", "plus"), ("unreadable", "pro")):
        tokens = Tokens("a", "r", "", 0, 0, "acc", plan, "ann@example.com")
        account = Account("", name, "chatgpt", "http://127.0.0.1:9", credential="a")
        services.accounts.add(POOL, account, tokens)
    other = services.accounts.find(POOL, "unreadable").id
    services.scripts.client.hset(keys.account(POOL, other), "sign_in", "sealed with another key")
    pool.account("main")

    identities = {name: row.identity for name, row in rows_by_name(services).items()}

    assert identities == {"plus": ("plus", "ann@example.com"), "unreadable": ("", ""), "main": ("", "")}

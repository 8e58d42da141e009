"""Whether another account could serve a request whose first token is late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.accounts.account import Account
from app.errors import StoreUnavailable
from app.relay.other_accounts import FRESH_SECONDS, OtherAccounts
from app.stores.records.api_keys import ApiKey
from app.translation.requests.account_requirements import AccountRequirements
from tests.support.relay import make_request

SERVES = Account("b", "b", "compatible", "http://x/v1", protocols=("chat",), models=("m",))


class AccountList:
    def __init__(self, *accounts: Account) -> None:
        self.accounts, self.reads = list(accounts), 0

    def all(self, pool: str) -> list[Account]:
        self.reads += 1
        return self.accounts


def context(**more: Any) -> Any:
    return make_request(key=ApiKey("k", "k", "p", accounts=more.pop("accounts", ())), **more)


def exist(
    account: Account,
    requirements: AccountRequirements | None = None,
    excluded: tuple[str, ...] = ("a",),
    **more: Any,
) -> bool:
    accounts: Any = AccountList(account)
    return OtherAccounts(accounts, lambda: 0.0, demo=False).could_serve(
        context(**more), requirements or AccountRequirements(), excluded
    )


def test_one_that_is_well_could() -> None:
    assert exist(SERVES)
    assert exist(replace(SERVES, state="burst_limited"))
    assert exist(replace(SERVES, models=()))


@pytest.mark.parametrize("state", ["paused", "window_spent", "credential_dead", "suspected"])
def test_one_that_is_out_could_not(state: str) -> None:
    assert not exist(replace(SERVES, state=state))


def test_one_that_does_not_fit_could_not() -> None:
    assert not exist(SERVES, excluded=("a", "b"))
    assert not exist(replace(SERVES, models=("n",)))
    assert not exist(replace(SERVES, kind="demo"))
    assert not exist(SERVES, AccountRequirements(protocol="responses"))
    assert not exist(SERVES, AccountRequirements(ineligible_kinds=("compatible",)))
    assert not exist(SERVES, account_kinds=("openai",))
    assert not exist(SERVES, accounts=("c",))
    assert not exist(SERVES, account_id="a")
    assert not exist(SERVES, ownership="a conversation")


def test_lists_show_which_account_has_a_model() -> None:
    """A name that none lists, such as an alias, may be served by any."""
    other = replace(SERVES, models=(), listed=("n",))

    def serves(*listed: str) -> bool:
        accounts: Any = AccountList(replace(SERVES, id="a", models=(), listed=listed), other)
        return OtherAccounts(accounts, lambda: 0.0, demo=False).could_serve(
            context(), AccountRequirements(), ("a",)
        )

    assert not serves("m")
    assert serves("n")


def test_a_kind_that_does_not_list_all_its_models() -> None:
    """One that another account lists may be served by it, too."""
    accounts: Any = AccountList(
        replace(SERVES, id="a", models=(), listed=("m",)), replace(SERVES, models=(), listed=("n",))
    )
    requirements = AccountRequirements(unlisted_kinds=(SERVES.kind,))

    assert OtherAccounts(accounts, lambda: 0.0, demo=False).could_serve(context(), requirements, ("a",))


def test_a_pool_is_read_once_per_interval() -> None:
    now, accounts = [0.0], AccountList(SERVES)
    alternatives = OtherAccounts(accounts, lambda: now[0], demo=False)  # type: ignore[arg-type]
    for _ in range(100):
        assert alternatives.could_serve(context(), AccountRequirements(), ())
    now[0] = FRESH_SECONDS
    alternatives.could_serve(context(), AccountRequirements(), ())

    assert accounts.reads == 2


def test_without_the_store_none_could_be_chosen() -> None:
    class Away:
        def all(self, pool: str) -> list[Account]:
            raise StoreUnavailable("away")

    away: Any = Away()
    assert not OtherAccounts(away, lambda: 0.0, demo=False).could_serve(context(), AccountRequirements(), ())


def test_only_accounts_that_may_serve_the_request_are_compared() -> None:
    """A model that only an unsuitable account lists may be served by any other."""
    accounts: Any = AccountList(
        replace(SERVES, id="a", models=(), listed=("n",)),
        replace(SERVES, id="c", kind="chatgpt", models=(), listed=("m",)),
    )
    others = OtherAccounts(accounts, lambda: 0.0, demo=False)

    assert not others.could_serve(context(), AccountRequirements(), ("c",))
    assert others.could_serve(context(), AccountRequirements(ineligible_kinds=("chatgpt",)), ("c",))
    azure: Any = AccountList(replace(SERVES, id="a", models=(), listed=("n",), kind="azure"), SERVES)
    assert OtherAccounts(azure, lambda: 0.0, demo=False).could_serve(context(), AccountRequirements(), ("b",))

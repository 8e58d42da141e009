"""A sign-in is known if it is an account here and the backend agrees; its word is kept for a minute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from app.errors import InvalidApiKey, UpstreamRejected
from app.pool.account import Account
from app.pool.known_accounts import AGREED_SECONDS, LISTED_SECONDS, KnownAccounts


@dataclass
class World:
    """The pools there are, what the backend is asked, and the time."""

    accounts: dict[str, list[Account]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    refusal: int | None = None
    now: float = 0.0

    def names(self) -> list[str]:
        return list(self.accounts)

    def all(self, pool: str) -> list[Account]:
        return self.accounts[pool]

    def usage(self, account: Account, token: str) -> dict[str, Any]:
        self.asked.append((account.name, token))
        if self.refusal:
            status = self.refusal
            raise UpstreamRejected("No", status=status, type="", code=None, upstream_status=status)
        return {"plan_type": "plus"}


def account(name: str, chatgpt_account_id: str) -> Account:
    return Account(name, name, "chatgpt", "http://host", chatgpt_account_id=chatgpt_account_id)


@pytest.fixture
def world() -> World:
    return World({"one": [account("a", "acc-a")], "two": [account("b", "acc-b")]})


@pytest.fixture
def known(world: World) -> KnownAccounts:
    return KnownAccounts(world, world, world.usage, lambda: world.now)  # type: ignore[arg-type]


def test_its_pool_is_found(known: KnownAccounts) -> None:
    assert known.identify("t", "acc-b") == ("two", {"plan_type": "plus"})


def test_the_backend_is_asked_once_a_minute_for_a_token(world: World, known: KnownAccounts) -> None:
    for token in ("t", "t", "u"):
        known.identify(token, "acc-a")
    assert world.asked == [("a", "t"), ("a", "u")]
    world.now += AGREED_SECONDS
    known.identify("t", "acc-a")

    assert len(world.asked) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_the_backend_refuses(world: World, known: KnownAccounts, status: int) -> None:
    """And which it may take a moment later: a refusal is not kept."""
    world.refusal = status
    with pytest.raises(InvalidApiKey):
        known.identify("t", "acc-a")
    world.refusal = None

    assert known.identify("t", "acc-a")[0] == "one"


def test_strangers_cost_the_backend_nothing(world: World, known: KnownAccounts) -> None:
    with pytest.raises(InvalidApiKey):
        known.identify("t", "acc-c")
    world.accounts["one"].append(account("c", "acc-c"))
    world.now += LISTED_SECONDS

    assert known.identify("t", "acc-c")[0] == "one"
    assert world.asked == [("c", "t")]


def test_a_backend_in_trouble_says_nothing_of_the_token(world: World, known: KnownAccounts) -> None:
    world.refusal = 500

    with pytest.raises(UpstreamRejected):
        known.identify("t", "acc-a")

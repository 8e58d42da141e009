"""A sign-in is known if it is an account here and the backend accepts it; cached for a minute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.accounts.account import Account
from app.accounts.attempt_limit import MAX_NAMES, WINDOW_SECONDS
from app.accounts.chatgpt_identity import (
    AGREED_SECONDS,
    LISTED_SECONDS,
    MAX_REFUSED,
    REFUSALS_PER_ACCOUNT,
    REFUSALS_PER_ADDRESS,
    REFUSED_SECONDS,
    KnownAccounts,
)
from app.errors import InvalidApiKey, TooManyAttempts, UpstreamRejected


@dataclass
class World:
    """The pools, the requests to the backend, and the time."""

    accounts: dict[str, list[Account]] = field(default_factory=dict)
    lookups: list[tuple[str, str]] = field(default_factory=list)
    refusal: int | None = None
    now: float = 0.0

    def names(self) -> list[str]:
        return list(self.accounts)

    def all(self, pool: str) -> list[Account]:
        return self.accounts[pool]

    def usage(self, account: Account, token: str) -> dict[str, Any]:
        self.lookups.append((account.name, token))
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


def test_the_backend_is_queried_once_a_minute_for_a_token(world: World, known: KnownAccounts) -> None:
    for token in ("t", "t", "u"):
        known.identify(token, "acc-a")
    assert world.lookups == [("a", "t"), ("a", "u")]
    world.now += AGREED_SECONDS
    known.identify("t", "acc-a")

    assert len(world.lookups) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_the_backend_refuses(world: World, known: KnownAccounts, status: int) -> None:
    """It is not sent again at once; later the backend may accept it."""
    world.refusal = status
    for _ in range(3):
        with pytest.raises(InvalidApiKey):
            known.identify("t", "acc-a")
    assert len(world.lookups) == 1
    world.refusal = None
    world.now += REFUSED_SECONDS

    assert known.identify("t", "acc-a")[0] == "one"


class TestMadeUpTokens:
    def try_many(
        self, known: KnownAccounts, count: int, address: Callable[[int], str]
    ) -> list[type[Exception]]:
        errors: list[type[Exception]] = []
        for number in range(count):
            try:
                known.identify(f"made-up-{number}", "acc-a", address(number))
            except (InvalidApiKey, TooManyAttempts) as error:
                errors.append(type(error))
        return errors

    @pytest.mark.parametrize(
        "address",
        [lambda n: "192.0.2.1", lambda n: f"2001:db8::{n:x}", lambda n: "", lambda n: "no address"],
        ids=["IPv4", "IPv6 network", "none", "odd"],
    )
    def test_of_one_address(self, world: World, known: KnownAccounts, address: Callable[[int], str]) -> None:
        world.refusal = 401

        errors = self.try_many(known, 25, address)

        assert errors == [InvalidApiKey] * REFUSALS_PER_ADDRESS + [TooManyAttempts] * (
            25 - REFUSALS_PER_ADDRESS
        )
        assert len(world.lookups) == REFUSALS_PER_ADDRESS

    def test_of_many_addresses(self, world: World, known: KnownAccounts) -> None:
        world.refusal = 401

        errors = self.try_many(known, 100, lambda n: f"192.0.2.{n}")

        assert errors.count(InvalidApiKey) == len(world.lookups) == REFUSALS_PER_ACCOUNT

    def test_a_failing_backend_is_not_queried_more_often(self, world: World, known: KnownAccounts) -> None:
        world.refusal = 500
        for number in range(REFUSALS_PER_ADDRESS):
            with pytest.raises(UpstreamRejected):
                known.identify(f"t{number}", "acc-a", "192.0.2.1")

        with pytest.raises(TooManyAttempts) as caught:
            known.identify("t", "acc-a", "192.0.2.1")
        assert caught.value.retry_after_seconds == WINDOW_SECONDS

    def test_wait_ends(self, world: World, known: KnownAccounts) -> None:
        world.refusal = 401
        self.try_many(known, 25, lambda n: "192.0.2.1")
        world.refusal = None
        world.now += WINDOW_SECONDS

        assert known.identify("t", "acc-a", "192.0.2.1")[0] == "one"

    def test_token_that_was_accepted_before_does_not_wait(self, world: World, known: KnownAccounts) -> None:
        known.identify("own", "acc-a", "192.0.2.1")
        world.refusal = 401
        self.try_many(known, 25, lambda n: "192.0.2.1")
        world.refusal = None
        world.now += AGREED_SECONDS - 1
        self.try_many(known, 1, lambda n: "192.0.2.1")
        world.now += 1

        assert known.identify("own", "acc-a", "192.0.2.1")[0] == "one"

    def test_accepted_tokens_do_not_count(self, known: KnownAccounts) -> None:
        identities = {known.identify(f"t{number}", "acc-a", "192.0.2.1")[0] for number in range(100)}

        assert identities == {"one"}

    def test_memory_is_bounded(self, world: World, known: KnownAccounts) -> None:
        world.refusal = 401
        for number in range(3 * MAX_REFUSED):
            world.now += WINDOW_SECONDS / REFUSALS_PER_ACCOUNT
            with pytest.raises(InvalidApiKey):
                known.identify(f"t{number}", "acc-a", f"10.0.{number // 250}.{number % 250}")

        assert len(known._refused) <= MAX_REFUSED
        assert len(known._by_address._attempts) <= MAX_NAMES


def test_strangers_cost_the_backend_nothing(world: World, known: KnownAccounts) -> None:
    with pytest.raises(InvalidApiKey):
        known.identify("t", "acc-c")
    world.accounts["one"].append(account("c", "acc-c"))
    world.now += LISTED_SECONDS

    assert known.identify("t", "acc-c")[0] == "one"
    assert world.lookups == [("c", "t")]


def test_a_server_error_does_not_invalidate_the_token(world: World, known: KnownAccounts) -> None:
    world.refusal = 500

    with pytest.raises(UpstreamRejected):
        known.identify("t", "acc-a")

"""The throttling of sign-in attempts, on a simulated clock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.operators.hashing_queue import Priority
from app.operators.sign_in_throttle import (
    ADDRESS,
    NAME,
    NAME_AND_ADDRESS,
    WINDOW_SECONDS,
    Locked,
    SignInThrottle,
    network,
)
from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.sign_in_attempts import SignInAttemptRepository

CLOCK = "local function clock() return tonumber(redis.call('GET', 'test:now')) end"
START_MS = 1_800_000_000_000


class Attempting:
    def __init__(self, client: Any) -> None:
        self.client = client
        self.attempts = SignInThrottle(SignInAttemptRepository(Scripts(client, clock=CLOCK)))
        client.set("test:now", START_MS)

    def pass_seconds(self, seconds: float) -> None:
        self.client.incrby("test:now", int(seconds * 1000))

    def is_locked(self, name: str = "ann", address: str = "192.0.2.1") -> bool:
        try:
            self.attempts.begin(name, address)
        except Locked:
            return True
        return False


@pytest.fixture
def attempting(redis_client: Any) -> Attempting:
    return Attempting(redis_client)


def test_one_name_from_one_address(attempting):
    assert [attempting.is_locked() for _ in range(NAME_AND_ADDRESS + 2)] == [False] * NAME_AND_ADDRESS + [
        True,
        True,
    ]
    assert not attempting.is_locked(address="192.0.2.2")
    assert not attempting.is_locked(name="bea")


def test_many_names_from_one_address(attempting):
    tries = [attempting.is_locked(name=str(number)) for number in range(ADDRESS + 1)]

    assert tries == [False] * ADDRESS + [True]


def test_one_name_from_many_addresses(attempting):
    tries = [attempting.is_locked(address=f"192.0.2.{number}") for number in range(NAME + 1)]

    assert tries == [False] * NAME + [True]


def test_strangers_do_not_lock_out_who_has_signed_in_from_here(attempting):
    attempting.attempts.succeed(attempting.attempts.begin("ann", "192.0.2.200"))
    for number in range(NAME + 1):
        attempting.is_locked(address=f"192.0.2.{number}")

    assert attempting.is_locked(address="192.0.2.201")
    assert not attempting.is_locked(address="192.0.2.200")
    for _ in range(NAME_AND_ADDRESS - 1):
        attempting.is_locked(address="192.0.2.200")
    assert attempting.is_locked(address="192.0.2.200")


def test_the_window_slides_and_reports_its_end(attempting):
    for _ in range(NAME_AND_ADDRESS):
        attempting.is_locked()
        attempting.pass_seconds(60)

    with pytest.raises(Locked) as locked:
        attempting.attempts.begin("ann", "192.0.2.1")
    assert locked.value.retry_after_seconds == WINDOW_SECONDS - 60 * NAME_AND_ADDRESS
    assert locked.value.first

    with pytest.raises(Locked) as again:
        attempting.attempts.begin("ann", "192.0.2.1")
    assert not again.value.first
    attempting.pass_seconds(locked.value.retry_after_seconds)
    assert not attempting.is_locked()
    assert attempting.is_locked()


def test_refusals_do_not_make_it_longer(attempting):
    for _ in range(NAME_AND_ADDRESS + 20):
        attempting.is_locked()

    attempting.pass_seconds(WINDOW_SECONDS)

    assert not attempting.is_locked()


def test_a_success_is_given_back(attempting):
    for _ in range(NAME_AND_ADDRESS - 1):
        attempting.is_locked()

    attempting.attempts.succeed(attempting.attempts.begin("ann", "192.0.2.1"))

    assert [attempting.is_locked() for _ in range(NAME_AND_ADDRESS)] == [False] * NAME_AND_ADDRESS


def test_forgotten_at_the_machine(attempting):
    for _ in range(NAME_AND_ADDRESS):
        attempting.is_locked()

    attempting.attempts.reset("ann")

    assert not attempting.is_locked()


def test_many_at_once_are_no_way_round(attempting):
    with ThreadPoolExecutor(20) as pool:
        locked = list(pool.map(lambda _: attempting.is_locked(), range(60)))

    assert locked.count(False) == NAME_AND_ADDRESS


def test_stored_identities_expire_and_are_digests(attempting, redis_client):
    attempting.is_locked(name="a password in the wrong field")

    stored = list(redis_client.scan_iter(keys.sign_in_attempts("*")))
    assert len(stored) == 3
    assert not any("password" in key or "192.0.2.1" in key for key in stored)
    assert all(0 < redis_client.pttl(key) <= WINDOW_SECONDS * 1000 for key in stored)


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_ipv6_network_counts_as_one_customer(address, counted_as):
    assert network(address) == counted_as


def test_whose_turn_it_is(attempting):
    """A name that has signed in from an address goes before strangers."""
    throttle = attempting.attempts
    throttle.succeed(throttle.begin("ann", "192.0.2.1"))

    assert throttle.priority(throttle.begin("ann", "192.0.2.1")).is_known
    assert not throttle.priority(throttle.begin("ann", "192.0.2.2")).is_known
    assert not throttle.priority(throttle.begin("bea", "192.0.2.1")).is_known
    assert throttle.priority(throttle.begin("bea", "192.0.2.2")) == Priority(is_known=False, attempts=2)

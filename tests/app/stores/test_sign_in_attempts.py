"""Attempts to sign in, counted in sliding windows on the store's clock."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import StoreRefused
from app.stores import keys
from app.stores.scripts import Scripts
from app.stores.sign_in_attempts import SignInAttemptLimit, SignInAttemptRepository

NOW_MS = 1_700_000_000_000
CLOCK = "local function clock() return tonumber(redis.call('GET', 'test-clock')) end"
BY_NAME = SignInAttemptLimit("ann", 2, 60)
BY_ADDRESS = SignInAttemptLimit("192.0.2.1", 3, 60)


class Attempts(SignInAttemptRepository):
    def __init__(self, client: Any) -> None:
        super().__init__(Scripts(client, clock=CLOCK))
        self._test_client = client
        self.set_clock(0)

    def set_clock(self, seconds: float) -> None:
        self._test_client.set("test-clock", NOW_MS + int(seconds * 1000))


@pytest.fixture
def attempts(redis_client: Any) -> Attempts:
    return Attempts(redis_client)


def test_up_to_the_limit(attempts: Attempts) -> None:
    """A refusal waits for the oldest attempt to leave the window; only the first is reported as such."""
    assert attempts.count("1", [BY_NAME]) is None
    attempts.set_clock(10)
    assert attempts.count("2", [BY_NAME]) is None
    attempts.set_clock(20)

    first, second = attempts.count("3", [BY_NAME]), attempts.count("4", [BY_NAME])

    assert first is not None
    assert second is not None
    assert (first.wait_seconds, first.is_first) == (40, True)
    assert (second.wait_seconds, second.is_first) == (40, False)
    assert attempts.read("none", "ann") == (False, 2)


def test_the_window_slides(attempts: Attempts) -> None:
    for second, attempt in enumerate("123"):
        attempts.set_clock(second * 31)
        assert attempts.count(attempt, [BY_NAME]) is None


def test_a_repeated_call_counts_once(attempts: Attempts) -> None:
    """A reply may be lost: the same attempt is not counted, nor refused, the second time."""
    for _ in range(5):
        assert attempts.count("1", [BY_NAME]) is None

    assert attempts.read("none", "ann") == (False, 1)


def test_a_refused_attempt_counts_under_no_limit(attempts: Attempts) -> None:
    for attempt in "12":
        attempts.count(attempt, [BY_NAME, BY_ADDRESS])

    assert attempts.count("3", [BY_NAME, BY_ADDRESS]) is not None
    assert attempts.read("none", BY_ADDRESS.counter) == (False, 2)


def test_success(attempts: Attempts, redis_client: Any) -> None:
    """It clears its own counter, is taken out of the others, and sets its marker for a while."""
    for attempt in "12":
        attempts.count(attempt, [BY_NAME, BY_ADDRESS])

    attempts.succeed("2", clear="ann", uncount=["192.0.2.1"], marker="known:ann", seconds=100)

    assert attempts.read("known:ann", "ann") == (True, 0)
    assert attempts.read("known:ann", "192.0.2.1") == (True, 1)
    assert 0 < redis_client.ttl(keys.sign_in_attempts("known:ann")) <= 100


def test_a_marker_lifts_a_limit(attempts: Attempts) -> None:
    limit = SignInAttemptLimit("192.0.2.1", 1, 60, unless="known:ann")
    attempts.count("1", [limit])
    assert attempts.count("2", [limit]) is not None

    attempts.succeed("1", clear="ann", uncount=[], marker="known:ann", seconds=100)

    assert attempts.count("3", [limit]) is None


def test_clearing(attempts: Attempts) -> None:
    counters = ("ann", "ann|192.0.2.1", "ann|192.0.2.2", "bea|192.0.2.1")
    for counter in counters:
        attempts.count("1", [SignInAttemptLimit(counter, 2, 60)])

    attempts.clear("ann")
    attempts.clear_matching("ann|")

    left = {
        c: attempts.read("none", c)[1] for c in ("ann", "ann|192.0.2.1", "ann|192.0.2.2", "bea|192.0.2.1")
    }
    assert left == {"ann": 0, "ann|192.0.2.1": 0, "ann|192.0.2.2": 0, "bea|192.0.2.1": 1}


@pytest.mark.parametrize(("most", "window"), [(0, 60), (5, 0)])
def test_a_limit_that_allows_nothing(attempts: Attempts, most: int, window: int) -> None:
    """The call fails, so that no counter is blocked permanently."""
    with pytest.raises(StoreRefused):
        attempts.count("1", [SignInAttemptLimit("ann", most, window)])

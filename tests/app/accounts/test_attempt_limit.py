"""Failed attempts per name and minute; those that succeed do not count."""

from __future__ import annotations

import pytest

from app.accounts.attempt_limit import MAX_NAMES, WINDOW_SECONDS, AttemptLimit
from app.errors import TooManyAttempts


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> AttemptLimit:
    return AttemptLimit(2, clock)


def test_up_to_the_limit(limit: AttemptLimit, clock: Clock) -> None:
    """A refused attempt is not counted: the oldest one alone decides how long to wait."""
    limit.begin("a")
    clock.now += 10
    limit.begin("a")

    for _ in range(3):
        with pytest.raises(TooManyAttempts) as error:
            limit.begin("a")
        assert error.value.retry_after_seconds == WINDOW_SECONDS - 10

    limit.begin("another")
    clock.now += WINDOW_SECONDS - 10
    limit.begin("a")


def test_success_does_not_count(limit: AttemptLimit) -> None:
    for _ in range(10):
        limit.begin("a")
        limit.succeeded("a")

    limit.begin("a")
    limit.begin("a")
    with pytest.raises(TooManyAttempts):
        limit.begin("a")


def test_success_of_an_unknown_name(limit: AttemptLimit) -> None:
    """It gives the name no further attempts."""
    limit.succeeded("a")

    limit.begin("a")
    limit.begin("a")
    with pytest.raises(TooManyAttempts):
        limit.begin("a")


def test_many_names(limit: AttemptLimit) -> None:
    """The memory is bounded: the name that began to fail first is forgotten."""
    for _ in range(2):
        limit.begin("first")
    for number in range(MAX_NAMES - 1):
        limit.begin(str(number))
    with pytest.raises(TooManyAttempts):
        limit.begin("first")

    limit.begin("one more")

    limit.begin("first")

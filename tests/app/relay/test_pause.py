"""Waits within a request."""

from __future__ import annotations

import pytest

from app.errors import ClientGone
from app.relay.pause import pause
from app.relay.progress import RequestProgress
from app.upstream.cancellation import Cancellation
from tests.support.relay import make_request


class Clock(Cancellation):
    """A cancellation whose sleeps advance the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.check()
        self.now += seconds


def test_a_keepalive_whenever_one_is_due() -> None:
    clock, progress = Clock(), RequestProgress(0.0, 600.0, 0.0)

    ticks = list(pause(10.0, make_request(cancellation=clock), progress, 4.0, clock))

    assert ticks == [None, None]
    assert (clock.now, progress.sent_at) == (10.0, 8.0)


def test_a_short_wait_sends_none() -> None:
    clock = Clock()

    assert not list(
        pause(3.0, make_request(cancellation=clock), RequestProgress(0.0, 600.0, 0.0), 4.0, clock)
    )


def test_ends_when_the_client_leaves() -> None:
    clock = Clock()
    clock.client_gone()

    with pytest.raises(ClientGone):
        list(pause(3.0, make_request(cancellation=clock), RequestProgress(0.0, 600.0, 0.0), 4.0, clock))

"""A cancellation reaches the greenlet that waits, and no other."""

from __future__ import annotations

import gevent
import pytest

from app.errors import ClientGone, WorkerStopping
from app.upstream.cancellation import Cancellation


def test_a_sleep_ends_at_once() -> None:
    cancellation = Cancellation()
    sleeper = gevent.spawn(cancellation.sleep, 60)
    gevent.sleep(0)

    cancellation.client_gone()

    with pytest.raises(ClientGone):
        sleeper.get(timeout=1)


def test_later_watchers_receive_it_too() -> None:
    cancellation = Cancellation()
    cancellation.worker_stopping()

    with pytest.raises(WorkerStopping):
        cancellation.sleep(60)
    with pytest.raises(WorkerStopping), cancellation.interrupting(lambda: None):
        raise AssertionError("the block must not be entered")


def test_the_first_reason_stays() -> None:
    cancellation = Cancellation()
    cancellation.client_gone()
    cancellation.worker_stopping()

    assert isinstance(cancellation.error, ClientGone)


def test_a_callback_is_called_only_inside_its_block() -> None:
    cancellation = Cancellation()
    calls: list[str] = []
    with cancellation.interrupting(lambda: calls.append("early")):
        pass
    with cancellation.interrupting(lambda: calls.append("now")):
        cancellation.client_gone()

    assert calls == ["now"]

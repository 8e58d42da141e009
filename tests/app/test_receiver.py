"""Receiving with one timer for many waits, from sockets of gevent and from others."""

from __future__ import annotations

import socket as plain
from collections.abc import Iterator
from time import monotonic
from typing import Any

import gevent
import pytest
from gevent import socket

from app.receiver import Receiver

SOON, LATER = 0.05, 30.0


@pytest.fixture(params=[plain, socket], ids=["plain", "gevent"])
def pair(request: Any) -> Iterator[tuple[Any, Any]]:
    one, other = request.param.socketpair()
    with one, other:
        yield one, other


@pytest.fixture
def cooperative() -> Iterator[tuple[Any, Any]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_what_has_arrived(pair: tuple[Any, Any]) -> None:
    one, other = pair
    receiver = Receiver(one)
    other.sendall(b"abc")

    assert [receiver.receive(2, LATER), receiver.receive(2, LATER)] == [b"ab", b"c"]
    receiver.close()


def test_silence_is_none_and_reading_goes_on(pair: tuple[Any, Any]) -> None:
    one, other = pair
    receiver = Receiver(one)
    for data in (b"a", b"b"):
        assert receiver.receive(10, SOON) is None
        other.sendall(data)
        assert receiver.receive(10, LATER) == data
        began = monotonic()
        assert receiver.receive(10, SOON) is None
        assert monotonic() - began >= SOON * 0.9
    receiver.close()


def test_the_end(pair: tuple[Any, Any]) -> None:
    one, other = pair
    receiver = Receiver(one)
    other.sendall(b"a")
    other.close()

    assert [receiver.receive(10, LATER) for _ in range(3)] == [b"a", b"", b""]
    receiver.close()


def test_what_arrives_during_a_wait(cooperative: tuple[Any, Any]) -> None:
    one, other = cooperative
    receiver = Receiver(one)
    other.sendall(b"a")
    assert receiver.receive(10, LATER) == b"a"
    gevent.spawn_later(SOON, other.sendall, b"b")

    assert receiver.receive(10, LATER) == b"b"
    receiver.close()


def test_a_timer_of_an_earlier_wait_does_not_end_a_later_one(cooperative: tuple[Any, Any]) -> None:
    one, other = cooperative
    receiver = Receiver(one)
    for data in (b"a", b"b"):
        other.sendall(data)
        assert receiver.receive(10, SOON) == data
    gevent.spawn_later(3 * SOON, other.sendall, b"c")

    assert receiver.receive(10, LATER) == b"c"
    receiver.close()


def test_a_shorter_wait_than_the_one_before(cooperative: tuple[Any, Any]) -> None:
    one, other = cooperative
    receiver = Receiver(one)
    other.sendall(b"a")
    receiver.receive(10, LATER)
    gevent.spawn_later(SOON, other.sendall, b"b")
    receiver.receive(10, LATER)  # waits, with a timer of thirty seconds

    assert receiver.receive(10, SOON) is None
    receiver.close()


def test_many_waits_share_a_timer(cooperative: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = cooperative
    receiver, made = Receiver(one), []
    start = Receiver._start_timer
    monkeypatch.setattr(
        Receiver, "_start_timer", lambda self, seconds: (made.append(seconds), start(self, seconds))
    )
    for _ in range(20):
        other.sendall(b"a")
        assert receiver.receive(10, LATER) == b"a"

    assert made == [LATER]
    receiver.close()


def test_closing_ends_a_wait(cooperative: tuple[Any, Any]) -> None:
    one, other = cooperative
    receiver = Receiver(one)
    other.sendall(b"a")
    receiver.receive(10, LATER)
    waiting = gevent.spawn(receiver.receive, 10, LATER)
    gevent.sleep(0)
    receiver.close()

    with pytest.raises(OSError, match="closed"):
        waiting.get(timeout=LATER)
    receiver.close()

"""Connections between two requests of a conversation: which serve the next one, and which are closed."""

from __future__ import annotations

from typing import Any

import pytest

from app.upstream import idle_websockets
from app.upstream.idle_websockets import IDLE_SECONDS, MAX_AGE_SECONDS, IdleWebSockets
from app.upstream.websocket import WebSocketClosed


class Connection:
    """A WebSocket whose upstream has sent *messages*, or closed it."""

    def __init__(self, *messages: str, age: float = 0.0, closed: bool = False) -> None:
        self.opened_at = 1000.0 - age
        self.messages, self.closed = list(messages), closed
        self.headers: dict[str, str] = {}
        self.pings = 0
        self.ended = False

    def drain(self) -> list[str]:
        if self.closed:
            raise WebSocketClosed(1006)
        return self.messages

    def report(self, headers: dict[str, str]) -> None:
        self.headers |= headers

    def ping(self) -> None:
        self.pings += 1

    def close_idle(self) -> None:
        self.ended = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(idle_websockets, "time", clock)
    monkeypatch.setattr(idle_websockets.gevent, "spawn", lambda _: None)
    return clock


def put(held: IdleWebSockets, connection: Connection, name: str = "c", account: str = "a") -> None:
    held.put((account, 1, name), connection, None)  # type: ignore[arg-type]


def test_taken_once(clock: Any) -> None:
    held, connection = IdleWebSockets(), Connection()
    put(held, connection)

    assert held.take(("a", 2, "c")) is None  # of another version of the account
    taken = held.take(("a", 1, "c"))
    assert taken is not None
    assert taken.websocket is connection
    assert held.take(("a", 1, "c")) is None


@pytest.mark.parametrize(
    ("connection", "seconds", "usable"),
    [
        (Connection(), IDLE_SECONDS - 1, True),
        (Connection(), IDLE_SECONDS + 1, False),
        (Connection(age=MAX_AGE_SECONDS - 1), 0, True),
        (Connection(age=MAX_AGE_SECONDS + 1), 0, False),
        (Connection(closed=True), 0, False),
        (Connection('{"type":"codex.rate_limits"}'), 0, True),
        (Connection('{"type":"error","status":500,"error":{}}'), 0, False),
        (Connection('{"type":"response.output_text.delta","delta":"x"}'), 0, False),
        (Connection("no JSON"), 0, False),
    ],
)
def test_which_are_usable(clock: Any, connection: Connection, seconds: float, usable: bool) -> None:
    """One on which an event of a response arrived is not: it would be taken for the next one's."""
    held = IdleWebSockets()
    put(held, connection)
    clock.now += seconds

    assert (held.take(("a", 1, "c")) is not None) is usable
    assert connection.ended is not usable


def test_windows_that_arrive_between_are_of_the_next_response(clock: Any) -> None:
    limits = '{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":7}}}'
    held, connection = IdleWebSockets(), Connection(limits)
    put(held, connection)
    held.take(("a", 1, "c"))

    assert connection.headers == {"x-codex-primary-used-percent": "7"}


def test_limits(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest idle ones are closed, first those of the same account."""
    monkeypatch.setattr(idle_websockets, "MAX_IDLE", 3)
    monkeypatch.setattr(idle_websockets, "MAX_IDLE_PER_ACCOUNT", 2)
    held = IdleWebSockets()
    connections = [Connection() for _ in range(5)]
    for number, (account, connection) in enumerate(zip("bbaac", connections, strict=True)):
        put(held, connection, str(number), account)
    assert [connection.ended for connection in connections] == [True, True, False, False, False]

    put(held, Connection(), "5", "a")
    assert [connection.ended for connection in connections] == [True, True, True, False, False]
    assert len(held) == 3


def test_pings(clock: Any) -> None:
    """Usable ones stay; others are closed before a request needs them."""
    held, idle, closed = IdleWebSockets(), Connection(), Connection(closed=True)
    put(held, idle, "1")
    put(held, closed, "2")

    held.ping_all()
    assert (idle.pings, idle.ended, closed.ended, len(held)) == (1, False, True, 1)
    clock.now += IDLE_SECONDS + 1
    held.ping_all()
    assert (idle.ended, len(held)) == (True, 0)

"""One WebSocket over a socket: messages, pings, bounds and closes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
import pytest
from gevent import socket
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from app.websocket.bounds import MessageBudget
from app.websocket.connection import LOST, ConnectionLimits, WebSocketConnection


class ServerSocket:
    """gunicorn's wrapper of a socket, as far as a connection uses it."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Echo:
    """A handler that returns messages."""

    takes_binary = False

    def __init__(self) -> None:
        self.connection: WebSocketConnection
        self.calls: list[str] = []
        self.check_after = 60.0

    def receive(self, message: bytes) -> None:
        self.connection.send_text(message)

    def receive_control(self) -> None:
        self.calls.append("control")

    def too_large(self) -> None:
        self.calls.append("too_large")

    def overloaded(self) -> None:
        self.calls.append("overloaded")

    def next_check(self, now: float) -> float:
        return now + self.check_after

    def closed(self) -> None:
        self.calls.append("closed")


class Client:
    """The other side."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.protocol = Connection(ConnectionType.CLIENT)
        self._events: list[Event] = []

    def send(self, event: Event) -> None:
        self.sock.sendall(self.protocol.send(event))

    def receive(self) -> Event | None:
        """Return the next event, None at the end."""
        while not self._events:
            data = self.sock.recv(65536)
            if not data:
                return None
            self.protocol.receive_data(data)
            self._events += self.protocol.events()
        return self._events.pop(0)

    def close_code(self) -> int:
        while not isinstance(event := self.receive(), CloseConnection):
            assert event is not None
        return int(event.code)


class Served:
    """A connection that is served, and its client."""

    def __init__(self, early: bytes = b"", **limits: Any) -> None:
        own, other = socket.socketpair()
        other.settimeout(10)
        self.sock, self.client, self.handler = ServerSocket(own), Client(other), Echo()
        self.budget = MessageBudget(limits.pop("max_bytes", 10_000))
        chosen: dict[str, Any] = {"max_message_bytes": 1000, "slow_client_seconds": 5, **limits}
        self.connection = WebSocketConnection(self.sock, [], ConnectionLimits(budget=self.budget, **chosen))
        self.handler.connection = self.connection
        self.greenlet = gevent.spawn(self.connection.run, self.handler, early)

    def end(self) -> None:
        self.client.sock.close()
        self.greenlet.join(10)
        self.sock.close()
        assert self.greenlet.successful()


@contextmanager
def served(early: bytes = b"", **limits: Any) -> Iterator[Served]:
    """Serve a connection, and check at its end that nothing is left of it."""
    it = Served(early, **limits)
    yield it
    it.end()
    assert it.handler.calls[-1] == "closed"
    assert it.handler.calls.count("closed") == 1
    assert it.budget.bytes == 0


def send_until_lost(connection: WebSocketConnection, frame: bytes) -> None:
    with suppress(OSError):
        while True:
            connection.send(frame)


def text(event: Event | None) -> str:
    assert isinstance(event, TextMessage)
    return event.data


def test_messages_and_their_fragments() -> None:
    with served() as it:
        for pieces in (["Hello"], ["Hel", "", "lo"], ["é" * 100], [""]):
            for number, piece in enumerate(pieces, 1):
                it.client.send(TextMessage(piece, message_finished=number == len(pieces)))
            assert text(it.client.receive()) == "".join(pieces)
        assert (it.connection.received, it.connection.sent) == (4, 4)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_the_length_of_a_message(size: int) -> None:
    with served(max_message_bytes=300_000, max_bytes=300_000) as it:
        it.client.send(TextMessage("x" * size))
        received = ""
        while True:
            event = it.client.receive()
            received += text(event)
            if isinstance(event, TextMessage) and event.message_finished:
                break
        assert received == "x" * size


def test_what_came_with_the_handshake() -> None:
    early = Connection(ConnectionType.CLIENT).send(TextMessage("early"))

    with served(early) as it:
        assert text(it.client.receive()) == "early"


def test_pings_of_the_client() -> None:
    with served() as it:
        it.client.send(TextMessage("a", message_finished=False))
        it.client.send(Ping(b"1"))
        event = it.client.receive()
        assert isinstance(event, Pong)
        assert event.payload == b"1"
        it.client.send(TextMessage("b"))
        assert text(it.client.receive()) == "ab"


def test_pings_are_sent() -> None:
    with served(ping_seconds=0.05, silent_seconds=5) as it:
        assert isinstance(it.client.receive(), Ping)
        assert isinstance(it.client.receive(), Ping)


def test_a_client_that_answers_no_ping() -> None:
    with served(ping_seconds=0.05, silent_seconds=0.2) as it:
        while it.client.receive() is not None:
            pass
        it.greenlet.join(5)
        assert it.connection.code == LOST


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_the_close_of_a_client_is_answered(code: int) -> None:
    with served() as it:
        it.client.send(CloseConnection(code))
        assert it.client.close_code() == code
        assert it.connection.code == code


def test_a_client_that_leaves() -> None:
    with served() as it:
        it.client.sock.shutdown(socket.SHUT_WR)
        it.greenlet.join(5)
        assert it.connection.code == LOST


def test_our_close() -> None:
    """What the client still sends is ignored, and its answer ends the connection."""
    with served() as it:
        gevent.sleep(0)
        it.connection.close(1012, "restarting")
        it.connection.close(1000)
        it.connection.send_text(b"late")
        it.client.send(TextMessage("late"))
        event = it.client.receive()
        assert isinstance(event, CloseConnection)
        assert (event.code, event.reason) == (1012, "restarting")
        it.client.sock.sendall(it.client.protocol.send(event.response()))
        it.greenlet.join(5)
        assert (it.greenlet.ready(), it.connection.code, it.connection.sent) == (True, 1012, 0)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x81\x05Hello", 1002),  # without a mask
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # an unknown opcode
        (b"\xc1\x80\x00\x00\x00\x00", 1002),  # compression that was not agreed
        (b"\x80\x80\x00\x00\x00\x00", 1002),  # a continuation of nothing
        (b"\x81\x82\x00\x00\x00\x00\xff\xff", 1007),  # text that is not UTF-8
        (b"\x88\x82\x00\x00\x00\x00\x03\xed", 1002),  # a code that may not be sent
    ],
)
def test_what_is_no_websocket(sent: bytes, code: int) -> None:
    with served() as it:
        it.client.sock.sendall(sent)
        assert it.client.close_code() == code
        it.greenlet.join(5)
        assert it.sock.lingers


def test_binary() -> None:
    with served() as it:
        it.client.send(BytesMessage(b"1"))
        assert it.client.close_code() == 1003


@pytest.mark.parametrize("size", [1001, 5000])
def test_a_large_message(size: int) -> None:
    with served() as it:
        it.client.send(TextMessage("x" * 1000))
        assert len(text(it.client.receive())) == 1000
        it.client.send(TextMessage("x" * size, message_finished=False))
        assert it.client.close_code() == 1009
        assert "too_large" in it.handler.calls


def test_too_many_messages_of_all_connections() -> None:
    with served(max_bytes=100) as it:
        it.client.send(TextMessage("x" * 101))
        assert it.client.close_code() == 1013
        assert "overloaded" in it.handler.calls


def test_a_client_that_does_not_read() -> None:
    """Its sender gives up after the timeout, and everything ends."""
    with served(slow_client_seconds=0.3) as it:
        gevent.sleep(0)
        frame = it.connection.encode(b"x" * 1_000_000)
        started = time.monotonic()
        send_until_lost(it.connection, frame)
        assert time.monotonic() - started < 5
        it.greenlet.join(5)
        assert it.connection.code == LOST
        with pytest.raises(ConnectionResetError):
            it.connection.send(frame)


def test_a_sender_ends_with_its_client() -> None:
    with served(slow_client_seconds=60) as it:
        gevent.sleep(0)
        frame = it.connection.encode(b"x" * 1_000_000)
        sender = gevent.spawn(send_until_lost, it.connection, frame)
        gevent.sleep(0.05)
        it.client.sock.shutdown(socket.SHUT_WR)
        sender.join(5)
        assert sender.successful()


def test_a_pong_that_was_not_requested() -> None:
    with served() as it:
        it.client.send(Pong(b"1"))
        it.client.send(TextMessage("a"))
        assert text(it.client.receive()) == "a"
        assert it.handler.calls == ["control"]

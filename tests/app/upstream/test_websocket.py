"""Messages over a connection: when they are complete, what ends the connection, and what is refused."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gevent import socket
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from app.errors import StreamEventTooLarge, UpstreamProtocolError
from app.streaming.sse import MAX_EVENT_BYTES
from app.upstream import websocket
from app.upstream.websocket import WebSocket, WebSocketClosed, handshake_headers, is_accepted
from tests.support.upstream_websocket import text_frame


class Server:
    """The other end of a connection."""

    def __init__(self, sock: Any) -> None:
        self.socket = sock
        self.frames = Connection(ConnectionType.SERVER)

    def send(self, *events: Any) -> None:
        self.socket.sendall(b"".join(self.frames.send(event) for event in events))

    def events(self) -> list[Any]:
        """Return what has arrived, waiting for something."""
        self.frames.receive_data(self.socket.recv(65536))
        return list(self.frames.events())


@pytest.fixture
def ends() -> Iterator[tuple[WebSocket, Server]]:
    client, server = socket.socketpair()
    server.settimeout(5)
    file = client.makefile("rb")
    response = SimpleNamespace(
        _original_response=SimpleNamespace(
            fp=SimpleNamespace(raw=SimpleNamespace(_sock=client), read1=file.raw.read)
        ),
        headers={"Upgrade": "websocket", "openai-model": "m"},
        close=client.close,
    )
    yield WebSocket(response), Server(server)  # type: ignore[arg-type]
    client.close()
    server.close()


class TestReceiving:
    def test_messages(self, ends: Any) -> None:
        client, server = ends
        server.send(TextMessage("one"), TextMessage("t", message_finished=False), TextMessage("wo"))

        assert client.receive(5) == ["one", "two"]
        assert client.receive(0.01) is None

    def test_a_message_in_many_segments(self, ends: Any) -> None:
        """A message arrives complete, even if characters were cut between segments."""
        client, server = ends
        frame = text_frame("ä€😀".encode())
        for byte in frame[:-1]:
            server.socket.sendall(bytes([byte]))
            assert client.receive(0.001) is None
        server.socket.sendall(frame[-1:])

        assert client.receive(5) == ["ä€😀"]

    def test_pings_are_answered(self, ends: Any) -> None:
        client, server = ends
        server.send(Ping(b"p"), TextMessage("one"))

        assert client.receive(5) == ["one"]
        assert server.events() == [Pong(b"p")]

    def test_endless_pings(self, ends: Any) -> None:
        """Pings do not extend the wait for a message."""
        client, server = ends
        server.send(*(Ping() for _ in range(200)))
        started = time.monotonic()

        assert client.receive(0.05) is None
        assert time.monotonic() - started < 5

    @pytest.mark.parametrize(
        ("end", "code"),
        [
            (lambda server: server.send(TextMessage("one"), CloseConnection(1012)), 1012),
            (lambda server: (server.send(TextMessage("one")), server.socket.close()), 1006),
        ],
        ids=["announced", "not announced"],
    )
    def test_the_end(self, ends: Any, end: Any, code: int) -> None:
        """Messages before the end are returned first."""
        client, server = ends
        end(server)

        messages = client.receive(5)
        with pytest.raises(WebSocketClosed) as closed:
            client.receive(5)
        assert messages == ["one"]
        assert closed.value.code == code

    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"\x81\x02\xff\xfe",
            b"\xc1\x01a",
            b"\x81\x81\0\0\0\0a",
            b"\x80\x01a",
            b"\x89\x7e\xff\xff",
        ],
        ids=["HTTP", "no UTF-8", "a reserved bit", "masked", "nothing to continue", "a large ping"],
    )
    def test_no_frames(self, ends: Any, data: bytes) -> None:
        client, server = ends
        server.socket.sendall(text_frame(b"one") + data)

        assert client.receive(5) == ["one"]
        with pytest.raises(UpstreamProtocolError):
            client.receive(5)

    def test_bytes(self, ends: Any) -> None:
        client, server = ends
        server.send(BytesMessage(b"x"))

        with pytest.raises(UpstreamProtocolError, match="a message of bytes"):
            client.receive(5)

    def test_too_large(self, ends: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is refused before all of it has arrived."""
        assert MAX_EVENT_BYTES > 100
        monkeypatch.setattr(websocket, "MAX_EVENT_BYTES", 100)
        client, server = ends
        server.socket.sendall(b"\x81\x7f" + struct.pack("!Q", 2**40) + b"x" * 200)

        with pytest.raises(StreamEventTooLarge):
            client.receive(5)


class TestBetweenResponses:
    def test_what_arrived(self, ends: Any) -> None:
        client, server = ends
        server.send(Ping(b"p"), TextMessage("one"), TextMessage("two"))

        assert client.drain() == ["one", "two"]
        assert server.events() == [Pong(b"p")]
        assert client.drain() == []

    def test_the_end(self, ends: Any) -> None:
        client, server = ends
        server.send(CloseConnection(1001))

        with pytest.raises(WebSocketClosed):
            client.drain()

    def test_pings(self, ends: Any) -> None:
        client, server = ends
        client.ping()
        assert isinstance(server.events()[0], Ping)

        client.close_idle()
        assert [event.code for event in server.events()] == [1000]


class TestSending:
    def test_pieces_are_one_message(self, ends: Any) -> None:
        client, server = ends
        client.send([b'{"a":', "1ä}".encode()])

        texts = [(event.data, event.message_finished) for event in server.events()]
        assert texts == [('{"a":', False), ("1ä}", True)]


class TestHandshake:
    def test_headers(self) -> None:
        """Headers about a body or about a connection are not sent."""
        headers, key = handshake_headers(
            {
                "Authorization": "Bearer x",
                "accept": "text/event-stream",
                "Content-Length": "3",
                "Sec-WebSocket-Protocol": "x",
            }
        )

        assert headers == {
            "Authorization": "Bearer x",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key.decode(),
        }

    @pytest.mark.parametrize(
        ("status", "changes", "accepted"),
        [
            (101, {}, True),
            (200, {}, False),
            (101, {"Upgrade": "h2c"}, False),
            (101, {"Sec-WebSocket-Accept": "other"}, False),
            (101, {"Sec-WebSocket-Extensions": "permessage-deflate"}, False),
        ],
    )
    def test_accepted(self, status: int, changes: dict[str, str], accepted: bool) -> None:
        """Source of key and value: RFC 6455, section 1.3."""
        headers = {"Upgrade": "websocket", "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="} | changes
        response: Any = SimpleNamespace(status=status, headers=headers)

        assert is_accepted(response, b"dGhlIHNhbXBsZSBub25jZQ==") is accepted

    def test_headers_of_the_first_response_only(self, ends: Any) -> None:
        client, _ = ends

        assert dict(client.take_headers()) == {"openai-model": "m", "Content-Type": "text/event-stream"}
        client.report({"x-codex-primary-used-percent": "4"})
        assert client.take_headers()["X-Codex-Primary-Used-Percent"] == "4"
        assert dict(client.take_headers()) == {"Content-Type": "text/event-stream"}

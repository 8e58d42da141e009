"""
A WebSocket to an upstream: text messages over a connection of our own pools.

The handshake is a GET that the pools of `routes` send, so the rules for addresses, proxies and
certificates are those of every request. Extensions are not offered: what compression saves is small
once only new items are sent.

Source: https://www.rfc-editor.org/rfc/rfc6455
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import ProtocolError as WsProtocolError
from wsproto.utilities import generate_accept_token, generate_nonce

from app.errors import StreamEventTooLarge, UpstreamError, UpstreamProtocolError
from app.streaming.sse import MAX_EVENT_BYTES
from app.yielding import end_turn, give_way

READ_BYTES = 65536
TURN_BYTES = 32 * 1024  # bytes of messages that are read before other greenlets run
MESSAGE_COST_BYTES = 512  # what a short message counts as: it takes as long as so many bytes
SEND_SECONDS = 30.0  # time limit without progress while a message is sent
CLOSE_SECONDS = 1.0
MAX_DRAIN_READS = 20  # reads between two responses, where only pings and reports of some hundred bytes arrive
NORMAL_CLOSURE, GOING_AWAY, UNSUPPORTED_DATA, ABNORMAL_CLOSURE = 1000, 1001, 1003, 1006
_NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError)
_HANDSHAKE = frozenset(("connection", "upgrade", "sec-websocket-accept", "sec-websocket-protocol"))
_NOT_IN_HANDSHAKE = frozenset(
    ("accept", "accept-encoding", "content-type", "content-length", "connection", "upgrade")
)


class WebSocketClosed(Exception):
    """The upstream closed the connection with *code*, ABNORMAL_CLOSURE if it sent no Close."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def handshake_headers(headers: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """Return (the headers of a handshake with *headers*, those of a request; its key)."""
    key = generate_nonce()
    sent = {name: value for name, value in headers.items() if not _is_replaced(name.lower())}
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    return sent | upgrade | {"Sec-WebSocket-Key": key.decode()}, key


def _is_replaced(name: str) -> bool:
    return name in _NOT_IN_HANDSHAKE or name.startswith("sec-websocket-")


def is_accepted(response: BaseHTTPResponse, key: bytes) -> bool:
    """Return whether *response* to a handshake with *key* opens a WebSocket without extensions."""
    headers = response.headers
    return (
        response.status == 101
        and headers.get("Upgrade", "").lower() == "websocket"
        and headers.get("Sec-WebSocket-Accept", "") == generate_accept_token(key).decode()
        and "Sec-WebSocket-Extensions" not in headers
    )


class WebSocket:
    """One connection, which one greenlet uses at a time."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        """*response* is a response to the handshake for which `is_accepted` is true."""
        raw: Any = response
        self._raw = raw
        self.opened_at = time.monotonic()
        file = raw._original_response.fp
        self.socket: Any = file.raw._sock
        self._frames = Connection(ConnectionType.CLIENT)
        self._pieces: list[str] = []  # pieces of an incomplete message
        self._pieces_chars = 0
        self._since_turn = 0
        self._messages: list[str] = []
        self._code: int | None = None  # code of the Close frame, once it has ended
        self._error: UpstreamError | None = None  # raised after the messages before it
        self._early = self._buffered(file)
        self._headers: Mapping[str, str] = response.headers

    def take_headers(self) -> CaseInsensitiveDict[str]:
        """Return the headers of the handshake's response for the first request, none for later ones."""
        headers, self._headers = self._headers, {}
        about_response = {name: text for name, text in headers.items() if name.lower() not in _HANDSHAKE}
        return CaseInsensitiveDict(about_response | {"Content-Type": "text/event-stream"})

    def report(self, headers: Mapping[str, str]) -> None:
        """Add *headers*, which arrived between two responses, to those of the next response."""
        self._headers = {**self._headers, **headers}

    def _buffered(self, file: Any) -> bytes:
        """Return the data that http.client has read beyond the head."""
        self.socket.settimeout(0)
        try:
            data: bytes = file.read1(READ_BYTES) or b""
        except _NOTHING_YET:
            data = b""
        return data

    def send(self, pieces: Sequence[bytes]) -> None:
        """Send one message of UTF-8 *pieces*, each in its own frame. Raises OSError."""
        self.socket.settimeout(SEND_SECONDS)
        last = len(pieces) - 1
        for position, piece in enumerate(pieces):
            frame = self._frames.send(TextMessage(piece.decode(), message_finished=position == last))
            self.socket.sendall(frame)
            give_way(len(piece))

    def receive(self, seconds: float) -> list[str] | None:
        """
        Return the messages that one read completes, None after *seconds* without any.

        Raises WebSocketClosed at the end of the connection, UpstreamProtocolError or StreamEventTooLarge for
        messages that are not events.
        """
        until = time.monotonic() + seconds
        while True:
            data, self._early = self._early, b""
            if not data:
                self._check()
                if self._since_turn > TURN_BYTES:
                    self._since_turn = 0
                    end_turn()
                self.socket.settimeout(max(until - time.monotonic(), 0.001))
                try:
                    data = self.socket.recv(READ_BYTES)
                except TimeoutError:
                    return None
                except OSError:
                    data = b""
            self._decode(data)
            self._since_turn += len(data) + MESSAGE_COST_BYTES * (1 + len(self._messages))
            if self._messages:
                messages, self._messages = self._messages, []
                return messages
            if time.monotonic() > until:  # an endless series of pings must not extend the wait
                return None

    def drain(self) -> list[str]:
        """
        Return the messages that have arrived, without waiting, and answer pings.

        Raises as `receive` does.
        """
        data, self._early = self._early, b""
        try:
            for _ in range(MAX_DRAIN_READS):
                self.socket.settimeout(0)
                self._decode(data or self.socket.recv(READ_BYTES))
                self._check()
                data = b""
            raise WebSocketClosed(ABNORMAL_CLOSURE)
        except _NOTHING_YET:
            messages, self._messages = self._messages, []
            return messages
        except OSError:
            raise WebSocketClosed(ABNORMAL_CLOSURE) from None

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._code is not None:
            raise WebSocketClosed(self._code)

    def _decode(self, data: bytes) -> None:
        try:
            self._decode_frames(data)
        except UpstreamError as error:
            self._error = error

    def _decode_frames(self, data: bytes) -> None:
        """Process the frames in *data*; b"" is the end of the connection."""
        if not data:
            self._code = ABNORMAL_CLOSURE if self._code is None else self._code
            return
        self._frames.receive_data(data)
        try:
            for event in self._frames.events():
                if isinstance(event, TextMessage):
                    self._add(event.data, event.message_finished)
                elif isinstance(event, Ping):
                    self._answer(event.response())
                elif isinstance(event, CloseConnection):
                    # The error was found here, so the upstream is sent a Close
                    if self._frames.state is ConnectionState.OPEN:
                        raise UpstreamProtocolError("The upstream sent invalid WebSocket frames")
                    self._code = event.code
                    self._answer(event.response())
                elif isinstance(event, BytesMessage):
                    raise UpstreamProtocolError("The upstream sent a message of bytes instead of an event")
        except WsProtocolError as error:
            raise UpstreamProtocolError("The upstream sent invalid WebSocket frames") from error

    def _add(self, text: str, is_finished: bool) -> None:
        if is_finished and not self._pieces:
            self._messages.append(text)
            return
        self._pieces.append(text)
        self._pieces_chars += len(text)
        if self._pieces_chars > MAX_EVENT_BYTES:
            raise StreamEventTooLarge(
                f"The upstream sent an event with more than {MAX_EVENT_BYTES >> 20} MiB"
            )
        if is_finished:
            self._messages.append("".join(self._pieces))
            self._pieces, self._pieces_chars = [], 0

    def ping(self) -> None:
        """Send a ping, so that no proxy in between closes the connection as idle."""
        self._answer(Ping())

    def _answer(self, event: Any) -> None:
        with suppress(OSError, WsProtocolError):
            self.socket.settimeout(CLOSE_SECONDS)
            self.socket.sendall(self._frames.send(event))

    def interrupt(self) -> None:
        """Wake a waiting `receive`, which then fails. Safe from the hub; does not wait."""
        with suppress(OSError, AttributeError):  # already closed
            getattr(self.socket, "_sock", self.socket).shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, so that the upstream stops producing."""
        self._raw.close()

    def close_idle(self) -> None:
        """Close the connection with the message that announces it."""
        if self._code is None:
            self._answer(CloseConnection(NORMAL_CLOSURE))
        self.close()

"""
One WebSocket over a client's socket.

The greenlet that calls `run` is the only reader, for the whole life of the connection; it also sends pings
and notices that the client is gone. Any greenlet may send, one at a time.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import gevent
from gevent.lock import BoundedSemaphore
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from app.websocket.bounds import MessageBudget
from app.websocket.compression import COMPRESS_FROM_BYTES
from app.yielding import end_turn

RECEIVE_BYTES = 64 * 1024
INFLATING_BYTES = 16 * 1024  # bytes per read where data may inflate a thousandfold
FRAMES_PER_TURN = 64  # frames that are handled before other greenlets run
SHORTEST_WAIT_SECONDS = 0.001
CLOSE_SECONDS = 5.0  # time for the client to answer a Close
LOST = int(CloseReason.ABNORMAL_CLOSURE)  # code if the client left without a Close


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection may hold and how long it may be silent."""

    max_message_bytes: int
    slow_client_seconds: float  # time limit of one send
    ping_seconds: float = 20.0  # proxies close connections that are silent for a minute
    silent_seconds: float = 65.0  # time limit without any byte, not even the answer to a ping
    budget: MessageBudget = field(default_factory=MessageBudget)  # shared by the process


def _text_frame(text: bytes) -> bytes:
    """
    Return one uncompressed frame with *text*, without wsproto, whose 25 µs would double the cost of an event.

    Source: https://www.rfc-editor.org/rfc/rfc6455#section-5.2
    """
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    if size < 65_536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8), text)


class Handler(Protocol):
    """Handles the messages of a connection. The reader calls its methods."""

    takes_binary: bool

    def receive(self, message: bytes) -> None:
        """Handle a complete message."""

    def receive_control(self) -> None:
        """Note a ping or pong."""

    def too_large(self) -> None:
        """Send the error that precedes the Close after a message that is too large."""

    def overloaded(self) -> None:
        """Send the error that precedes the Close when the process holds too many messages."""

    def next_check(self, now: float) -> float:
        """Enforce time limits; return when to call this again (monotonic clock)."""

    def closed(self) -> None:
        """End everything that runs for the connection, and wait until it has ended. Called once."""


class WebSocketConnection:
    """A connection after its handshake; `code` is the code of the Close that ended it, None before."""

    __slots__ = (
        *("_extensions", "_gone", "_hang_up", "_limits", "_lock", "_message", "_pending", "_pinged_at"),
        *("_protocol", "_received_at", "_sock", "code", "is_closing", "opened_at", "received", "sent"),
    )

    def __init__(self, sock: Any, extensions: list[Extension], limits: ConnectionLimits) -> None:
        self._sock = sock
        self._protocol = Connection(ConnectionType.SERVER, extensions)
        self._extensions = bool(extensions)
        self._limits = limits
        self._lock = BoundedSemaphore(1)
        self._pending = b""  # control frames to send after the data that is being sent
        self._message: bytearray | None = None
        self._gone = False
        self._hang_up: Any = None  # the greenlet that hangs up if the client does not answer a Close
        self.opened_at = self._received_at = self._pinged_at = time.monotonic()
        self.code: int | None = None
        self.is_closing = False
        self.received = self.sent = 0  # number of messages

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return not self.is_closing and not self._gone

    def encode(self, text: bytes) -> bytes:
        """Return the frame of a message with *text*, UTF-8; b"" if no more can be sent."""
        if self.is_closing or self._gone:
            return b""
        self.sent += 1
        if self._extensions and len(text) >= COMPRESS_FROM_BYTES:
            return self._protocol.send(TextMessage(text.decode()))
        return _text_frame(text)

    def send(self, data: bytes) -> None:
        """Send frames. Raises OSError when the client is gone or too slow."""
        if not data:
            return
        with self._lock:
            if self._gone:
                raise ConnectionResetError("the client is gone")
            self._transmit(data)
            while self._pending:
                data, self._pending = self._pending, b""
                self._transmit(data)

    def send_text(self, text: bytes) -> None:
        """Send *text* as one message, if the client is still there."""
        with suppress(OSError):
            self.send(self.encode(text))

    def _transmit(self, data: bytes) -> None:
        self._sock.settimeout(self._limits.slow_client_seconds)
        try:
            self._sock.sendall(data)
        except OSError:
            self.hang_up()
            raise

    def _send_control(self, data: bytes) -> None:
        """Send *data* now, or after the current send: the reader must not wait for it."""
        if self._lock.locked():
            self._pending = data
        else:
            with suppress(OSError):
                self.send(data)

    def close(self, code: int, reason: str = "") -> None:
        """Send a Close, once; the reader waits for the answer, within CLOSE_SECONDS."""
        if not self.is_open:
            return
        self.is_closing = True
        self.code = int(code)
        frame = self._protocol.send(CloseConnection(code, reason))
        self._hang_up = gevent.spawn_later(CLOSE_SECONDS, self.hang_up)
        with suppress(OSError):
            self.send(frame)

    def hang_up(self) -> None:
        """Shut down both directions of the socket, which wakes the greenlets that read or write."""
        self._gone = True
        plain = getattr(self._sock, "_sock", self._sock)
        plain = getattr(plain, "_sock", plain)  # the socket below gevent's, which would make waits fail
        with suppress(OSError):
            plain.shutdown(socket.SHUT_RDWR)

    def run(self, handler: Handler, early: bytes = b"") -> None:
        """
        Read until the connection ends, then end what *handler* runs.

        *early* is what the client sent before it had the response to its handshake.
        """
        try:
            goes_on = not early or self._receive(early, handler)
            while goes_on and self._read(handler):
                pass
        except Exception:
            self.close(CloseReason.INTERNAL_ERROR)
            raise
        finally:
            if not self.is_closing:
                self.hang_up()  # wakes a greenlet that is sending to a client that has left
            self._gone = True
            self._drop_message()
            if self.code is None:
                self.code = LOST
            try:
                handler.closed()
            finally:
                if self._hang_up is not None:
                    self._hang_up.kill(block=False)

    def _read(self, handler: Handler) -> bool:
        """Read once; return whether there may be more."""
        if self.is_closing:
            self._sock.settimeout(CLOSE_SECONDS)
        else:
            now = time.monotonic()
            check_at = handler.next_check(now)
            if not self._keep_alive(now):
                return False
            wake_at = min(check_at, self._pinged_at + self._limits.ping_seconds)
            self._sock.settimeout(max(SHORTEST_WAIT_SECONDS, wake_at - now))
        try:
            data = self._sock.recv(INFLATING_BYTES if self._extensions else RECEIVE_BYTES)
        except TimeoutError:
            return True
        except OSError:
            return False
        if not data:
            return False
        self._received_at = time.monotonic()
        return self._receive(data, handler)

    def _keep_alive(self, now: float) -> bool:
        """Send a ping when it is due; return whether the client has sent anything recently."""
        if now - self._received_at > self._limits.silent_seconds:
            return False
        if now - self._pinged_at >= self._limits.ping_seconds:
            self._pinged_at = now
            self._send_control(self._protocol.send(Ping()))
        return True

    def _receive(self, data: bytes, handler: Handler) -> bool:
        """Handle the frames that are complete with *data*; return whether more may follow."""
        try:
            self._protocol.receive_data(data)
        except LocalProtocolError:
            return False  # both sides have sent a Close
        for number, event in enumerate(self._protocol.events(), 1):
            if number % FRAMES_PER_TURN == 0:
                end_turn()
            if isinstance(event, CloseConnection):
                return self._receive_close(event, handler)
            if self.is_closing:
                continue
            if isinstance(event, Ping):
                self._send_control(self._protocol.send(Pong(event.payload)))
                handler.receive_control()
            elif isinstance(event, Pong):
                handler.receive_control()
            elif isinstance(event, Message):
                self._receive_piece(event, handler)
        return True

    def _receive_close(self, event: CloseConnection, handler: Handler) -> bool:
        """Answer the client's Close, or refuse invalid data; return whether more may follow."""
        if self._protocol.state is ConnectionState.OPEN:  # the data could not be parsed
            if event.code == CloseReason.MESSAGE_TOO_BIG:
                handler.too_large()
            self._refuse(event.code)
            return False
        if not self.is_closing:
            self.is_closing = True
            self.code = int(event.code)
            with suppress(OSError):
                self.send(self._protocol.send(event.response()))
        return False

    def _receive_piece(self, event: Message[Any], handler: Handler) -> None:
        if isinstance(event, BytesMessage) and not handler.takes_binary:
            self.close(CloseReason.UNSUPPORTED_DATA, "only text messages are understood")
            return
        message = self._message
        if message is None:
            message = self._message = bytearray()
        data = event.data.encode() if isinstance(event, TextMessage) else event.data
        message += data
        if not self._limits.budget.take(len(data)):
            self._drop_message()
            handler.overloaded()
            self._refuse(CloseReason.TRY_AGAIN_LATER)
        elif len(message) > self._limits.max_message_bytes:
            self._drop_message()
            handler.too_large()
            self._refuse(CloseReason.MESSAGE_TOO_BIG)
        elif event.message_finished:
            self._drop_message()
            self.received += 1
            handler.receive(bytes(message))

    def _drop_message(self) -> None:
        if self._message is not None:
            self._limits.budget.give(len(self._message))
            self._message = None

    def _refuse(self, code: int) -> None:
        """Close while the client still sends. Its data is read: otherwise the Close would be lost."""
        self.close(code)
        self._sock.lingers = True

"""
Client connections, as gunicorn handles them: their timeouts, and how they are closed.

A connection waits for a request's head, or is busy with a request. A head may take ten seconds from
its first byte, or from the start of the connection; a connection that was used before may be idle for
longer. Where slots or descriptors run out, waiting connections are closed first.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

import gevent

from app.sockets import ClientSocket
from app.yielding import end_turn

HEAD_SECONDS = 10.0  # time limit for a request's head, which is one or two packets
SILENT_SECONDS = 1.0  # a connection without a byte by then is the first to be closed
LINGER_SECONDS = 2.0  # how long input is read so that a client that still sends can receive its response
# How much input is read; common clients send 60 MB before they read a response.
LINGER_BYTES = 64 * 1024 * 1024
LINGER_READ_BYTES = 256 * 1024
DRAIN_BYTES = 64 * 1024  # the rest of a body up to this size is read, so that its connection can be reused


class ClientConnection(ClientSocket):
    """A connection of a client; `lingers` is whether the rest of its input is read before it is closed."""

    def __init__(self, sock: Any, connections: Connections, idle_seconds: float) -> None:
        super().__init__(sock)
        self.lingers = False
        self._connections = connections
        self._idle_seconds = idle_seconds
        self._used = False
        self._wait: HeaderTimeout | None = None

    def waiting(self) -> HeaderTimeout:
        """Return the context manager in which the next head is read; a timeout ends it silently."""
        return HeaderTimeout(self)

    def begin_wait(self, wait: HeaderTimeout) -> float:
        """Start *wait* and return the seconds it may take until bytes arrive."""
        self._wait = wait
        self._connections.add(self, used=self._used)
        if not self._used:
            return HEAD_SECONDS
        self.recv = self._recv_first
        return self._idle_seconds

    def end_wait(self) -> None:
        self._wait = None
        self._used = True
        self.recv = self._sock.recv
        self._connections.remove(self)

    def _recv_first(self, size: int) -> bytes:
        data: bytes = self._sock.recv(size)
        self.recv = self._sock.recv
        if self._wait is not None and b"\r\n\r\n" not in data:
            self._wait.restart(HEAD_SECONDS)
        return data

    def send_now(self, data: bytes) -> None:
        """Send *data* before anything that is held back."""
        self._sock.sendall(data)

    def hang_up(self) -> None:
        """Wake the greenlet that waits for a head on this connection, so that it closes."""
        # The socket below gevent's, which would make the wait fail
        plain = getattr(self._sock, "_sock", self._sock)
        with suppress(OSError):
            plain.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self.lingers:
            self.lingers = False
            linger(self._sock)
        self._sock.close()


class HeaderTimeout:
    """A context manager with a timeout for a request's head. After it the connection counts as busy."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._timeout: Any = None

    def restart(self, seconds: float) -> None:
        if self._timeout is not None:
            self._timeout.close()
        self._timeout = gevent.Timeout.start_new(seconds)

    def __enter__(self) -> None:
        self.restart(self._connection.begin_wait(self))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._timeout.close()
        self._connection.end_wait()
        return error is self._timeout and error is not None


class Connections:
    """The connections of this process that wait for a head, in the order in which they started to wait."""

    def __init__(self) -> None:
        self._silent: dict[ClientConnection, float] = {}  # since when each waits, on the monotonic clock
        self._idle: dict[ClientConnection, float] = {}

    def __len__(self) -> int:
        return len(self._silent) + len(self._idle)

    def add(self, connection: ClientConnection, *, used: bool) -> None:
        (self._idle if used else self._silent)[connection] = time.monotonic()

    def remove(self, connection: ClientConnection) -> None:
        self._silent.pop(connection, None)
        self._idle.pop(connection, None)

    def close_one(self) -> bool:
        """
        Close the waiting connection that is needed least; return whether there was one.

        The first of: a new one that sent no byte for SILENT_SECONDS; the one that has been idle longest,
        whose client will open another; the oldest new one.
        """
        connection = self._most_expendable()
        if connection is None:
            return False
        self.remove(connection)
        connection.hang_up()
        return True

    def _most_expendable(self) -> ClientConnection | None:
        silent, since = next(iter(self._silent.items()), (None, 0.0))
        if silent is not None and time.monotonic() - since >= SILENT_SECONDS:
            return silent
        return next(iter(self._idle), silent)


def linger(sock: Any, seconds: float = LINGER_SECONDS) -> None:
    """
    End sending on *sock*, and read what still arrives, within bounds.

    Bytes left unread would make the close a reset, which can overtake the response.
    Source: https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    """
    left = LINGER_BYTES
    with suppress(OSError), gevent.Timeout(seconds, False):
        sock.shutdown(socket.SHUT_WR)
        while left > 0 and (data := sock.recv(LINGER_READ_BYTES)):
            left -= len(data)
            end_turn()  # reading received data never waits, so the timeout alone would not take effect

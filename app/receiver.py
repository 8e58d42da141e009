"""
Receive from a socket of gevent, at the cost of little more than the system call.

gevent's own `recv` first tries to read, which fails while nothing has arrived, and then makes a timeout: an
object, a timer of the event loop and an exception for each read. Where most reads have to wait for the next
bytes, waiting first saves the failed try, and one timer serves many waits.
"""

from __future__ import annotations

import errno
import ssl
import sys
from time import monotonic
from typing import Any

from greenlet import getcurrent  # type: ignore[import-untyped]

NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError)
_READ = 1  # libev's event READ
_CLOSED = OSError(errno.EBADF, "The socket was closed while it was read")


class _Late(BaseException):
    """Thrown into a greenlet whose wait has taken too long."""


class Receiver:
    """
    Receives what arrives on *sock*, for one greenlet at a time; its `close` comes before that of the socket.

    A socket of gevent should not block: the first read, and one after a read of *size*, may otherwise take as
    long as its own timeout. Sockets that are not gevent's are read by their own means.
    """

    __slots__ = (
        *("_fires_at", "_hub", "_is_drained", "_readable", "_sock", "_timer"),
        *("_until", "_waiting"),
    )

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._hub: Any = _hub_of(sock)
        self._readable: Any = None if self._hub is None else self._hub.loop.io(sock.fileno(), _READ)
        self._is_drained = False  # whether the last read took all data that had arrived
        self._timer: Any = None
        self._fires_at = self._until = 0.0  # monotonic seconds: when the timer fires, and when the wait ends
        self._waiting: Any = None

    def receive(self, size: int, seconds: float) -> bytes | None:
        """Return at most *size* bytes, b"" at the end, None after *seconds* without any. Raises OSError."""
        if self._hub is None:
            self._sock.settimeout(max(seconds, 0.001))
        until = monotonic() + seconds
        while True:
            if self._is_drained and not self._wait(until):
                return None
            try:
                data: bytes = self._sock.recv(size)
            except NOTHING_YET:
                self._is_drained = True  # what has arrived is not a complete record of TLS
            except TimeoutError:
                return None
            else:
                self._is_drained = len(data) < size and self._hub is not None
                return data

    def _wait(self, until: float) -> bool:
        """Wait up to the time *until*, and return whether there is something to read."""
        self._until = until
        if self._timer is None or self._fires_at > until:
            self._start_timer(until - monotonic())
        self._waiting = current = getcurrent()
        try:
            self._readable.start(current.switch)
            self._hub.switch()
        except _Late:
            return False
        finally:
            self._readable.stop()
            self._waiting = None
        return True

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._fires_at = monotonic() + seconds
        self._timer = self._hub.loop.timer(max(seconds, 0.0))
        self._timer.start(self._end_wait)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def _end_wait(self) -> None:
        """End the wait if it has taken too long; another one may have begun since the timer was started."""
        self._stop_timer()
        if self._waiting is None:
            return
        left = self._until - monotonic()
        if left > 0:
            self._start_timer(left)
        else:
            self._waiting.throw(_Late)

    def close(self) -> None:
        """Stop watching the socket, and end a wait for it. It may be called more than once."""
        self._stop_timer()
        if self._hub is not None:
            self._hub.cancel_wait(self._readable, _CLOSED, close_watcher=True)


def _hub_of(sock: Any) -> Any:
    """Return the hub whose greenlets read *sock*, None if it is not a socket of gevent."""
    module = sys.modules.get("gevent.socket")
    if module is None or not isinstance(sock, module.socket):
        return None
    from gevent import get_hub  # imported here, so that commands without greenlets do not load it

    return get_hub()

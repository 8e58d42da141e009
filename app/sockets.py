"""Sending with as few calls as it takes: to the kernel, and on the way there."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

SEND_BUFFER_BYTES = 256 * 1024  # the kernel doubles it; a client that does not read holds this, no more


def send_all(sock: Any, data: bytes) -> None:
    """Send *data*, as `sendall` does; the kernel nearly always takes all of it at once."""
    sent = sock.send(data)
    if sent < len(data):
        sock.sendall(memoryview(data)[sent:])


class ClientSocket:
    """
    A client's connection as gunicorn sees it; the first that is sent after `hold` goes out with the second.

    gunicorn sends a head, then a body, and after the last of a stream that it was the last: each
    a system call, a packet, and a client that wakes up.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._holds = False
        self._held = b""
        # asked for with every request, and `__getattr__` is slow to find them
        self.recv = sock.recv
        self.settimeout = sock.settimeout
        self.gettimeout = sock.gettimeout
        self.fileno = sock.fileno
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def hold(self) -> None:
        self._holds = True

    def release(self) -> None:
        """Send what nothing followed."""
        self._holds = False
        with suppress(OSError):  # closed already, and whoever did that has said why
            self._flush()

    def sendfile(self, *args: Any, **options: Any) -> Any:
        """Send a file, which gunicorn has the kernel do; behind its head."""
        self._flush()
        return self._sock.sendfile(*args, **options)

    def sendall(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        if self._holds:
            self._holds, self._held = False, data
        else:
            send_all(self._sock, data)

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            send_all(self._sock, held)

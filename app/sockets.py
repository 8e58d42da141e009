"""Client sockets that send with as few system calls as possible."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

SEND_BUFFER_BYTES = 256 * 1024  # bounds the memory for a client that does not read; the kernel doubles it


def send_all(sock: Any, data: bytes) -> None:
    """Send *data* like `sendall`, but with one call in the usual case that the kernel accepts it all."""
    sent = sock.send(data)
    if sent < len(data):
        sock.sendall(memoryview(data)[sent:])


class ClientSocket:
    """
    A client's connection, wrapped for gunicorn. Data sent after `hold` leaves with the next data.

    gunicorn sends the head, the body and the last chunk of a stream separately: each would be
    a system call, a packet, and a wake-up of the client.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._holds = False
        self._held = b""
        # Used in every request; faster than through `__getattr__`.
        self.recv = sock.recv
        self.settimeout = sock.settimeout
        self.gettimeout = sock.gettimeout
        self.fileno = sock.fileno
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def hold(self) -> None:
        """Hold back the next data until more follows or `release` is called."""
        self._holds = True

    def release(self) -> None:
        """Send data that is still held back."""
        self._holds = False
        with suppress(OSError):  # already closed, and the reason already logged
            self._flush()

    def sendfile(self, *args: Any, **options: Any) -> Any:
        """Send a file with the kernel's sendfile, after data that is held back."""
        self._flush()
        return self._sock.sendfile(*args, **options)

    def sendall(self, data: bytes) -> None:
        """Send data that is held back, then *data*; or hold *data* back after `hold`."""
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

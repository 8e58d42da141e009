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
    A client's connection as gunicorn sees it; the first that is sent after `begin` goes out with the second.

    gunicorn sends a head, then a body: each a system call, a packet, and a client that wakes up.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._begun = False
        self._head = b""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def begin(self) -> None:
        self._begun = True

    def end(self) -> None:
        """Send a head that no body followed."""
        self._begun = False
        if self._head:
            head, self._head = self._head, b""
            with suppress(OSError):  # closed already, and whoever did that has said why
                send_all(self._sock, head)

    def sendall(self, data: bytes) -> None:
        if self._begun:
            self._begun, self._head = False, data
        elif self._head:
            data, self._head = self._head + data, b""
            send_all(self._sock, data)
        else:
            send_all(self._sock, data)

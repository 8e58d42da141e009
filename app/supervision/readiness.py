"""Check whether the processes of a gateway answer, without http.client, whose import takes 2 MiB."""

from __future__ import annotations

import socket

REQUEST = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SECONDS = 5.0


def reachable(bind: str) -> str:
    """Return an address under which this machine reaches a gateway that listens on *bind*."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)


def is_ready(bind: str, port: int) -> bool:
    """Return whether the gateway that listens on *bind* and *port* can serve requests."""
    try:
        with socket.create_connection((reachable(bind), port), timeout=SECONDS) as connection:
            connection.sendall(REQUEST)
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def listens(port: int) -> bool:
    """Return whether something on this machine listens on *port*."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True

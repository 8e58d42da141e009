"""Free ports, and waiting for a server on one."""

from __future__ import annotations

import http.client
import socket
import time


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str) -> str:
    """Return the body of a GET on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def wait_for(port: int, path: str = "/health/ready", seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            get(port, path)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)

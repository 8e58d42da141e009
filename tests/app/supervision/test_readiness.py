"""A gateway is ready once it answers 200 at the address of this machine."""

from __future__ import annotations

import socket
import threading

import pytest

from app.supervision.readiness import is_ready, listens, reachable
from tests.support.ports import free_port


def answer(listener: socket.socket, response: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(response)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])
def test_the_response_counts(bind: str, response: bytes, expected: bool) -> None:
    with socket.create_server((bind, 0)) as listener:
        thread = threading.Thread(target=answer, args=[listener, response])
        thread.start()

        assert is_ready(bind, listener.getsockname()[1]) is expected
        thread.join()


def test_nothing_listens() -> None:
    port = free_port()

    assert not is_ready("127.0.0.1", port)
    assert not listens(port)


def test_something_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listens(listener.getsockname()[1])


def test_all_interfaces_are_reached_by_loopback() -> None:
    assert [reachable(bind) for bind in ("0.0.0.0", "::", "10.0.0.1")] == ["127.0.0.1", "::1", "10.0.0.1"]

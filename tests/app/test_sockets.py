"""Head and body leave in one packet; tested over a socket pair that preserves packets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sockets import SEND_BUFFER_BYTES, ClientSocket, send_all

Pair = tuple[ClientSocket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    own_socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with own_socket, theirs:
        theirs.setblocking(False)
        yield ClientSocket(own_socket), theirs


def test_a_head_goes_out_with_the_first_of_its_body(pair: Pair) -> None:
    own_socket, theirs = pair
    own_socket.hold()
    own_socket.sendall(b"head ")
    with pytest.raises(BlockingIOError):
        theirs.recv(100)

    own_socket.sendall(b"first")
    own_socket.sendall(b"second")
    own_socket.release()

    assert [theirs.recv(100), theirs.recv(100)] == [b"head first", b"second"]


def test_a_head_without_a_body_goes_out_at_the_end(pair: Pair) -> None:
    own_socket, theirs = pair
    own_socket.hold()
    own_socket.sendall(b"head")
    own_socket.release()

    assert theirs.recv(100) == b"head"


def test_the_last_of_a_stream_goes_out_with_its_end(pair: Pair) -> None:
    own_socket, theirs = pair
    own_socket.hold()
    for data in (b"head ", b"first"):
        own_socket.sendall(data)
    own_socket.hold()
    for data in (b"last ", b"end"):
        own_socket.sendall(data)

    assert [theirs.recv(100), theirs.recv(100)] == [b"head first", b"last end"]


def test_a_stream_of_nothing_but_its_end(pair: Pair) -> None:
    own_socket, theirs = pair
    own_socket.hold()
    own_socket.sendall(b"head ")
    own_socket.hold()
    own_socket.sendall(b"last ")
    own_socket.sendall(b"end")

    assert theirs.recv(100) == b"head last end"


def test_a_file_comes_behind_its_head(tmp_path: Path) -> None:
    """As gunicorn sends one: by the kernel, past `sendall`."""
    (tmp_path / "file").write_bytes(b"body")
    own_socket, theirs = socket.socketpair()
    with own_socket, theirs, (tmp_path / "file").open("rb") as file:
        client = ClientSocket(own_socket)
        client.hold()
        client.sendall(b"head ")
        client.sendfile(file)
        client.release()

        assert theirs.recv(9, socket.MSG_WAITALL) == b"head body"


def test_nothing_waits_outside_of_a_response(pair: Pair) -> None:
    own_socket, theirs = pair
    own_socket.hold()
    own_socket.release()
    own_socket.sendall(b"refused")

    assert theirs.recv(100) == b"refused"


def test_the_next_response_on_the_connection_is_independent(pair: Pair) -> None:
    own_socket, theirs = pair
    for _ in range(2):
        own_socket.hold()
        own_socket.sendall(b"head ")
        own_socket.sendall(b"body")
        own_socket.release()

    assert [theirs.recv(100), theirs.recv(100)] == [b"head body"] * 2


def test_sending_to_a_closed_client_fails_except_for_a_head_alone(pair: Pair) -> None:
    own_socket, theirs = pair
    theirs.close()
    own_socket.hold()
    own_socket.sendall(b"head")
    own_socket.release()

    own_socket.hold()
    own_socket.sendall(b"head")
    with pytest.raises(BrokenPipeError):
        own_socket.sendall(b"body")


def test_a_kernel_that_takes_a_part_is_given_the_rest() -> None:
    class Slow:
        def __init__(self) -> None:
            self.taken = b""

        def send(self, data: bytes) -> int:
            self.taken += data[:3]
            return 3

        def sendall(self, data: memoryview) -> None:
            self.taken += data

    slow = Slow()

    send_all(slow, b"0123456789")

    assert slow.taken == b"0123456789"


def test_the_buffer_of_a_client_that_does_not_read_is_bounded(pair: Pair) -> None:
    own_socket, _ = pair

    assert own_socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES

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
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.setblocking(False)
        yield ClientSocket(ours), theirs


def test_a_head_goes_out_with_the_first_of_its_body(pair: Pair) -> None:
    ours, theirs = pair
    ours.hold()
    ours.sendall(b"head ")
    with pytest.raises(BlockingIOError):
        theirs.recv(100)

    ours.sendall(b"first")
    ours.sendall(b"second")
    ours.release()

    assert [theirs.recv(100), theirs.recv(100)] == [b"head first", b"second"]


def test_a_head_without_a_body_goes_out_at_the_end(pair: Pair) -> None:
    ours, theirs = pair
    ours.hold()
    ours.sendall(b"head")
    ours.release()

    assert theirs.recv(100) == b"head"


def test_the_last_of_a_stream_goes_out_with_its_end(pair: Pair) -> None:
    ours, theirs = pair
    ours.hold()
    for data in (b"head ", b"first"):
        ours.sendall(data)
    ours.hold()
    for data in (b"last ", b"end"):
        ours.sendall(data)

    assert [theirs.recv(100), theirs.recv(100)] == [b"head first", b"last end"]


def test_a_stream_of_nothing_but_its_end(pair: Pair) -> None:
    ours, theirs = pair
    ours.hold()
    ours.sendall(b"head ")
    ours.hold()
    ours.sendall(b"last ")
    ours.sendall(b"end")

    assert theirs.recv(100) == b"head last end"


def test_a_file_comes_behind_its_head(tmp_path: Path) -> None:
    """As gunicorn sends one: by the kernel, past `sendall`."""
    (tmp_path / "file").write_bytes(b"body")
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "file").open("rb") as file:
        client = ClientSocket(ours)
        client.hold()
        client.sendall(b"head ")
        client.sendfile(file)
        client.release()

        assert theirs.recv(9, socket.MSG_WAITALL) == b"head body"


def test_nothing_waits_outside_of_an_answer(pair: Pair) -> None:
    ours, theirs = pair
    ours.hold()
    ours.release()
    ours.sendall(b"refused")

    assert theirs.recv(100) == b"refused"


def test_the_next_answer_on_the_connection_begins_anew(pair: Pair) -> None:
    ours, theirs = pair
    for _ in range(2):
        ours.hold()
        ours.sendall(b"head ")
        ours.sendall(b"body")
        ours.release()

    assert [theirs.recv(100), theirs.recv(100)] == [b"head body"] * 2


def test_what_is_sent_to_whoever_has_left_is_an_error_but_for_a_head_alone(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    ours.hold()
    ours.sendall(b"head")
    ours.release()

    ours.hold()
    ours.sendall(b"head")
    with pytest.raises(BrokenPipeError):
        ours.sendall(b"body")


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
    ours, _ = pair

    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES

"""Reading a body: turns are given up by its size, and a compressed part is not taken for the whole."""

from __future__ import annotations

import gzip
from types import SimpleNamespace
from typing import Any

import pytest
from gevent import socket

from app.errors import StreamIncomplete
from app.upstream.body import TURN_BYTES, Body
from tests.support.heartbeat import counted_turns


@pytest.fixture
def arrived() -> Any:
    """A body of unknown length, a part of which has arrived, and its size."""
    sender, receiver = socket.socketpair()
    sender.setblocking(False)
    size = 0
    for _ in range(8):
        try:
            size += sender.send(b"\n" * 65536)
        except BlockingIOError:
            break
    http = SimpleNamespace(will_close=True, chunked=False, length=None, fp=None)
    body = Body(SimpleNamespace(_original_response=http, headers={}))  # type: ignore[arg-type]
    body._socket = receiver
    yield body, size
    sender.close()
    receiver.close()


def test_fast_upstreams_leave_turns_to_others(arrived: Any) -> None:
    body, size = arrived
    received = 0
    with counted_turns() as turns:
        while received < size:
            received += len(body.read(1.0) or b"")

    assert size > 2 * TURN_BYTES
    assert turns() >= size // (TURN_BYTES + 65536)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("missing", [0, 1, 20])
def test_compressed_data_that_ends_early(framing: str, missing: int) -> None:
    """The framing of its part may be whole: what arrived is returned, and then the failure."""
    data = gzip.compress(b"data: [DONE]\n\n")
    data = data[: len(data) - missing]
    sender, receiver = socket.socketpair()
    http = SimpleNamespace(
        will_close=True,
        chunked=framing == "chunked",
        length=len(data) if framing == "length" else None,
        fp=None,
    )
    response: Any = SimpleNamespace(_original_response=http, headers={"Content-Encoding": "gzip"})
    body = Body(response)
    body._socket = receiver
    sender.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if framing == "chunked" else data)
    sender.close()
    content = b""

    def read_all() -> None:
        nonlocal content
        while piece := body.read(1.0):
            content += piece

    if missing:
        with pytest.raises(StreamIncomplete):
            read_all()
        assert b"data: [DONE]\n\n".startswith(content)
    else:
        read_all()
        assert content == b"data: [DONE]\n\n"
    receiver.close()

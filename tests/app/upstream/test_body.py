"""Reading a body: data that has arrived is read without a wait, so its size decides when others run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from gevent import socket

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

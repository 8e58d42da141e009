"""A process refuses requests before its memory is exhausted."""

from __future__ import annotations

import pytest

from app.errors import Overloaded
from app.server.capacity import Capacity


def test_at_most_so_many_requests() -> None:
    room = Capacity(max_requests=2, max_bytes=100)
    room.enter(0)
    room.enter(0)

    with pytest.raises(Overloaded) as refused:
        room.enter(0)
    assert (refused.value.status, refused.value.retry_after_seconds) == (429, 1)

    room.leave(0)
    room.enter(0)


def test_at_most_so_many_bytes() -> None:
    room = Capacity(max_requests=10, max_bytes=100)
    room.enter(60)

    with pytest.raises(Overloaded):
        room.enter(41)
    room.enter(40)

    assert (room.requests, room.bytes) == (2, 100)


def test_a_body_may_grow_while_there_is_room() -> None:
    room = Capacity(max_requests=10, max_bytes=100)
    room.enter(0)
    room.enter(60)
    room.grow(40)

    with pytest.raises(Overloaded):
        room.grow(1)
    room.leave(60)
    room.grow(1000)  # alone now

    assert (room.requests, room.bytes) == (1, 1040)


def test_a_single_request_fits() -> None:
    """A limit on bodies that is set higher than this one must still mean something."""
    room = Capacity(max_requests=1, max_bytes=100)
    room.enter(1000)

    with pytest.raises(Overloaded):
        room.enter(0)

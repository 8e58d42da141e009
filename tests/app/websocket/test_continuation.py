"""Conversations that responses continue, and their bounds."""

from __future__ import annotations

import pytest

from app.errors import PreviousResponseNotFound
from app.websocket.continuation import BYTES_PER_ITEM, Continuations, ConversationMemory
from app.websocket.frames import Create

ITEM = b"x" * (1000 - BYTES_PER_ITEM)


def create(previous: str | None, lane: str = "") -> Create:
    return Create(lane, b"{}", b"", previous, True, {})


def has(continuations: Continuations, response_id: str) -> bool:
    try:
        return continuations.before(create(response_id)) is not None
    except PreviousResponseNotFound:
        return False


@pytest.fixture
def memory() -> ConversationMemory:
    return ConversationMemory(max_bytes=5000, max_connection_bytes=3000)


def test_the_latest_of_each_lane(memory: ConversationMemory) -> None:
    own = Continuations(memory)
    assert own.before(create(None)) == ()
    own.keep("", "r1", (b"1",))
    own.keep("", "r2", (b"2",))
    own.keep("x", "r3", (b"3",))

    assert (has(own, "r1"), own.before(create("r2", "x")), own.before(create("r3"))) == (
        False,
        (b"2",),
        (b"3",),
    )


def test_a_failure_forgets_only_what_its_own_lane_continued(memory: ConversationMemory) -> None:
    own = Continuations(memory)
    own.keep("x", "r1", (b"1",))

    own.forget(create("r1", "y"))
    own.forget(create(None, "x"))
    assert has(own, "r1")
    own.forget(create("r1", "x"))
    assert (has(own, "r1"), memory.bytes) == (False, 0)


def test_the_bound_of_a_connection(memory: ConversationMemory) -> None:
    own = Continuations(memory)
    for number in range(4):
        own.keep(str(number), f"r{number}", (ITEM,))
    assert [has(own, f"r{number}") for number in range(4)] == [False, True, True, True]

    own.keep("1", "large", (ITEM,) * 4)
    assert (has(own, "r1"), has(own, "large"), memory.bytes) == (False, False, 2000)


def test_the_bound_of_a_process(memory: ConversationMemory) -> None:
    """What was not used for longest is forgotten first."""
    connections = [Continuations(memory) for _ in range(6)]
    for number, each in enumerate(connections[:5]):
        each.keep("", f"r{number}", (ITEM,))
    assert has(connections[0], "r0")
    connections[5].keep("", "r5", (ITEM,))

    known = [has(each, f"r{number}") for number, each in enumerate(connections)]
    assert known == [True, False, True, True, True, True]
    for each in connections:
        each.close()
    assert memory.bytes == 0

"""Parts are recognised however events place them."""

from __future__ import annotations

import pytest

from app.translation.events.seen_parts import SeenParts

PART = {"item_id": "msg_1", "output_index": 0, "content_index": 1}


@pytest.mark.parametrize(
    ("place", "seen"),
    [
        (PART, True),
        ({"item_id": "msg_1", "content_index": 1}, True),
        ({"output_index": 0, "content_index": 1}, True),
        ({"item_id": "msg_1", "output_index": 7, "content_index": 1}, True),
        ({**PART, "content_index": 0}, False),
        ({"item_id": "msg_2", "output_index": 1, "content_index": 1}, False),
        ({}, False),
    ],
)
def test_place(place, seen):
    parts = SeenParts()
    parts.mark(PART)
    parts.mark(PART)

    assert (place in parts) is seen
    assert parts


def test_without_a_place():
    """A delta without a position matches every part, so that nothing is shown twice."""
    parts = SeenParts()
    parts.mark({"delta": "x"})

    assert PART in parts
    assert parts


def test_nothing():
    assert not SeenParts()
    assert PART not in SeenParts()

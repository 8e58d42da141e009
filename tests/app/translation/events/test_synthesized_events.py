"""Events made from snapshots."""

from __future__ import annotations

import pytest

from app.translation.events.synthesized_events import build_created, build_delta, build_item_events


@pytest.mark.parametrize(("number", "own"), [(4, 3), (0, 0), (None, 0)])
def test_created_number(number, own):
    """Its number is an integer less than that of the event that follows."""
    assert build_created({"id": "r"}, {"sequence_number": number}).payload["sequence_number"] == own


@pytest.mark.parametrize(
    ("done", "delta"),
    [
        ({"type": "response.output_text.done", "text": "a"}, "a"),
        ({"type": "response.refusal.done", "refusal": "a"}, "a"),
        ({"type": "response.output_text.done", "text": ""}, None),
        ({"type": "response.output_text.done"}, None),
    ],
)
def test_delta(done, delta):
    made = build_delta(done)

    assert (made.payload["delta"] if made else None) == delta


def test_item_without_an_id():
    item = {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"type": "odd"}, None]}
    events = build_item_events(item, 2, 9)

    assert {event.payload["sequence_number"] for event in events} == {9}
    assert [event.payload.get("item_id") for event in events[1:]] == ["item_2"] * 4

"""Messages of which an upstream sends only deltas are announced, and closed."""

from __future__ import annotations

from app.streaming.events import Event
from app.translation.events.implicit_messages import ImplicitMessages, build_part_added

DELTA = {
    "type": "response.output_text.delta",
    "item_id": "msg_1",
    "output_index": 0,
    "content_index": 0,
    "delta": "hi",
    "sequence_number": 7,
}


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_the_first_delta_is_preceded_by_announcements() -> None:
    messages = ImplicitMessages()

    assert types(messages.add_delta(0, DELTA)) == [
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
    ]
    assert types(messages.add_delta(0, DELTA)) == ["response.output_text.delta"]
    assert 0 in messages
    assert messages.indexes() == [0]


def test_closing_returns_the_complete_message() -> None:
    messages = ImplicitMessages()
    messages.add_delta(0, DELTA)

    events, item = messages.close(0, {"type": "response.completed", "sequence_number": 9})

    assert types(events)[-1] == "response.output_item.done"
    assert {event.payload["sequence_number"] for event in events} == {9}
    assert (item["id"], item["status"], item["content"][0]["text"]) == ("msg_1", "completed", "hi")
    assert not messages


def test_a_message_is_incomplete_if_the_response_is() -> None:
    messages = ImplicitMessages()
    messages.add_delta(0, DELTA)

    assert messages.close(0, {"type": "response.incomplete"})[1]["status"] == "incomplete"


def test_an_announced_part_has_the_position_of_its_delta() -> None:
    event = build_part_added(DELTA)

    assert event.type == "response.content_part.added"
    assert event.payload["part"] == {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    assert (event.payload["item_id"], event.payload["output_index"]) == ("msg_1", 0)

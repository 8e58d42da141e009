"""Growing items: the events of each step."""

from __future__ import annotations

import pytest

from app.translation.events.response_items import OpenCall, OpenMessage

MESSAGE = {"type": "message", "role": "assistant"}


def types(events: list[dict]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


class TestMessage:
    def test_part_of_another_kind_closes_the_first(self):
        message = OpenMessage("msg_1", 0, MESSAGE)
        message.add_text("output_text", "Well", [])
        events = message.add_text("refusal", "no", [])

        assert types(events) == [
            "output_text.done",
            "content_part.done",
            "content_part.added",
            "refusal.delta",
        ]
        assert [event["content_index"] for event in events] == [0, 0, 1, 1]

    def test_complete(self):
        """The last event and the item have the complete text."""
        message = OpenMessage("msg_1", 2, MESSAGE)
        message.add_text("output_text", "Hel", [{"token": "Hel"}])
        message.add_text("output_text", "lo", [{"token": "lo"}])
        events, item = message.close("completed")
        part = {
            "type": "output_text",
            "text": "Hello",
            "annotations": [],
            "logprobs": [{"token": "Hel"}, {"token": "lo"}],
        }

        assert types(events) == ["output_text.done", "content_part.done", "output_item.done"]
        assert item == {"id": "msg_1", **MESSAGE, "status": "completed", "content": [part]}
        assert events[-1] == {"type": "response.output_item.done", "output_index": 2, "item": item}

    def test_announcement_does_not_change_later(self):
        """Events that are out are not written to."""
        message = OpenMessage("msg_1", 0, MESSAGE)
        added = [*message.announce(), *message.add_text("output_text", "Hi", [{"token": "Hi"}])]
        message.add_text("refusal", "no", [])

        assert added[0]["item"]["content"] == []
        assert added[1]["part"] == {"type": "output_text", "text": "", "annotations": [], "logprobs": []}

    def test_silent(self):
        events, item = OpenMessage("msg_1", 0, MESSAGE).close("completed")

        assert types(events) == ["output_item.done"]
        assert item["content"] == []


@pytest.mark.parametrize(
    ("kind", "prefix", "key", "more"),
    [
        ("function_call", "function_call_arguments", "arguments", {"name": "f"}),
        ("custom_tool_call", "custom_tool_call_input", "input", {}),
    ],
)
def test_call(kind, prefix, key, more):
    head = {"type": kind, "call_id": "call_a", "name": "f"}
    call = OpenCall("x_1", 1, head)
    events = call.announce() + call.add_payload("{") + call.add_payload("}")
    last, item = call.close("incomplete")

    assert types(events) == ["output_item.added", f"{prefix}.delta", f"{prefix}.delta"]
    assert last[0] == {
        "type": f"response.{prefix}.done",
        "item_id": "x_1",
        "output_index": 1,
        key: "{}",
        **more,
    }
    assert item == {"id": "x_1", **head, key: "{}", "status": "incomplete"}

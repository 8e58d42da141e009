"""Unfinished items are built from deltas and snapshots."""

from __future__ import annotations

from app.streaming.partial_items import OpenItem

MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
CALL = {"type": "function_call", "id": "fc_1", "name": "look_up", "arguments": ""}


def test_deltas_are_joined() -> None:
    item = OpenItem(MESSAGE)
    for delta in ("he", "llo"):
        item.add_content("response.output_text.delta", {"content_index": 0, "delta": delta})

    assert item.result() == {
        **MESSAGE,
        "status": "incomplete",
        "content": [{"type": "output_text", "text": "hello"}],
    }


def test_a_snapshot_replaces_the_deltas_before_it() -> None:
    item = OpenItem(CALL)
    item.add_content("response.function_call_arguments.delta", {"delta": "{"})
    item.add_content("response.function_call_arguments.done", {"arguments": "{}"})

    assert item.result() == {**CALL, "status": "incomplete", "arguments": "{}"}


def test_parts_are_in_the_order_of_their_index() -> None:
    item = OpenItem(MESSAGE)
    item.add_content("response.refusal.delta", {"content_index": 1, "delta": "no"})
    item.add_content("response.output_text.delta", {"content_index": 0, "delta": "a"})

    result = item.result()

    assert result is not None
    assert [part["type"] for part in result["content"]] == ["output_text", "refusal"]


def test_an_item_without_content_is_none() -> None:
    assert OpenItem(MESSAGE).result() is None

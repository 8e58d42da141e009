"""Input items as chat messages."""

from __future__ import annotations

import copy

import pytest

from app.errors import InvalidRequest
from app.translation.requests.input_to_messages import (
    SKIPPED_TYPES,
    added_tools,
    input_items,
    messages_from_input,
)

CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_a",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}
CHAT_CALL = {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CUSTOM = {"type": "custom_tool_call", "call_id": "call_c", "name": "p", "input": "x"}
CHAT_CUSTOM = {"id": "call_c", "type": "custom", "custom": {"name": "p", "input": "x"}}


def text(kind: str, value: str) -> dict:
    return {"type": kind, "text": value}


def message(*texts: str) -> dict:
    return {"type": "message", "role": "assistant", "content": [text("output_text", one) for one in texts]}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        ([{"role": "user", "content": "hi"}], [{"role": "user", "content": "hi"}]),
        ([{"role": "user", "content": [text("input_text", "hi")]}], [{"role": "user", "content": "hi"}]),
        ([{"role": "user", "content": []}], [{"role": "user", "content": ""}]),
        (
            [{"role": "user", "content": [text("input_text", "a"), text("input_text", "b")]}],
            [{"role": "user", "content": [text("text", "a"), text("text", "b")]}],
        ),
        (
            [{"role": "user", "content": [{"type": "input_image", "image_url": "u", "detail": "low"}]}],
            [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}],
                }
            ],
        ),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "input_file", "file_url": "data:a/b;base64,QQ", "filename": "f"}],
                }
            ],
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "file", "file": {"file_data": "data:a/b;base64,QQ", "filename": "f"}}
                    ],
                }
            ],
        ),
        (
            [{"role": "developer", "content": [text("input_text", "a"), text("input_text", "b")]}],
            [{"role": "system", "content": "a\nb"}],
        ),
        ([message("a", "b")], [{"role": "assistant", "content": "ab"}]),
        (
            [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
            [{"role": "assistant", "content": None, "refusal": "no"}],
        ),
        (
            [message("a"), CALL, CUSTOM],
            [{"role": "assistant", "content": "a", "tool_calls": [CHAT_CALL, CHAT_CUSTOM]}],
        ),
        ([CALL], [{"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]}]),
        (
            [message("a"), {"type": "reasoning", "summary": []}, CALL],
            [{"role": "assistant", "content": "a", "tool_calls": [CHAT_CALL]}],
        ),
        (
            [{"type": "function_call_output", "call_id": "call_a", "output": "x"}],
            [{"role": "tool", "tool_call_id": "call_a", "content": "x"}],
        ),
        (
            [
                {
                    "type": "custom_tool_call_output",
                    "call_id": "call_c",
                    "output": [
                        text("input_text", "x"),
                        {"type": "input_image", "image_url": "u"},
                        text("input_text", "y"),
                    ],
                }
            ],
            [{"role": "tool", "tool_call_id": "call_c", "content": "xy"}],
        ),
        (
            [{**CALL, "namespace": "files"}],
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{**CHAT_CALL, "function": {"name": "files__f", "arguments": "{}"}}],
                }
            ],
        ),
        ([{"type": kind} for kind in sorted(SKIPPED_TYPES)], []),
    ],
)
def test_messages(items, messages):
    before = copy.deepcopy(items)

    assert messages_from_input(items) == messages
    assert items == before


def test_order_of_turns():
    """Each round of calls is a message of its own, followed by its answers."""
    output = {"type": "function_call_output", "call_id": "call_a", "output": "x"}
    roles = [
        one["role"] for one in messages_from_input([message("a"), CALL, output, CALL, output, message("b")])
    ]

    assert roles == ["assistant", "tool", "assistant", "tool", "assistant"]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "local_shell_call"},
        {"type": ["odd"]},
        {"role": "robot", "content": "x"},
        {"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]},
        {"role": "user", "content": [{"type": "input_file", "file_url": "https://x/a.pdf"}]},
        {"role": "system", "content": [{"type": "input_image", "image_url": "u"}]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        "hi",
    ],
)
def test_refused(item):
    with pytest.raises(InvalidRequest) as raised:
        messages_from_input([item])

    assert raised.value.param == "input"


def test_input_as_string():
    assert input_items("hi") == [{"role": "user", "content": [text("input_text", "hi")]}]


@pytest.mark.parametrize("value", [None, 7, {}, True])
def test_input_of_another_type(value):
    with pytest.raises(InvalidRequest) as raised:
        input_items(value)

    assert raised.value.param == "input"


def test_added_tools():
    tools = [{"type": "function", "name": "f"}]

    assert (
        added_tools([message("a"), {"type": "additional_tools", "role": "developer", "tools": tools}])
        == tools
    )


def test_chat_parts_among_the_input():
    """Parts that have chat's form already stay as they are."""
    parts = [{"type": "image_url", "image_url": {"url": "u"}}, {"type": "file", "file": {"file_data": "x"}}]

    assert messages_from_input([{"role": "user", "content": parts}]) == [{"role": "user", "content": parts}]


def test_file_without_a_name():
    items = [{"role": "user", "content": [{"type": "input_file", "file_data": "x"}]}]

    assert messages_from_input(items)[0]["content"] == [{"type": "file", "file": {"file_data": "x"}}]

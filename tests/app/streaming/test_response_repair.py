"""Items of a response that deviate from the API are rewritten; others are the same objects."""

from __future__ import annotations

from typing import Any

import pytest

from app.streaming.response_repair import (
    has_cut_arguments,
    is_cut,
    json_text,
    repaired_item,
    repaired_output,
    with_text_payload,
)

Json = dict[str, Any]

CALL: Json = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    "item",
    [
        CALL,
        {**CALL, "arguments": ""},
        {"type": "custom_tool_call", "input": '{"a', "arguments": {}},
        {**CALL, "arguments": '{"a', "status": "incomplete"},
        {"type": "message", "content": [], "arguments": {}},
        {"type": ["function_call"], "arguments": {}},
        {},
    ],
)
def test_what_stays(item: Json) -> None:
    output = [item, None]

    assert repaired_item(item) is item
    assert repaired_output(output) is output


@pytest.mark.parametrize(
    ("kind", "key"),
    [("function_call", "arguments"), ("mcp_call", "arguments"), ("custom_tool_call", "input")],
)
@pytest.mark.parametrize("value", [{}, {"a": [1, "é"]}, [], [{}]])
def test_payload_that_is_no_text(kind: str, key: str, value: Any) -> None:
    item = {"type": kind, "name": "f", key: value}

    repaired = repaired_output([CALL, item])

    assert repaired == [CALL, {**item, key: json_text(value)}]
    assert repaired[0] is CALL
    assert item[key] is value


def test_json_text() -> None:
    assert json_text({"a": [1, "é"]}) == '{"a":[1,"é"]}'


@pytest.mark.parametrize(
    "text", ['{"a', '{"a":1', "{", '["a"', '{"a":"}', '"a', '{"a":"\\"}', '{"a":{}', '{"a":nul']
)
def test_cut_arguments(text: str) -> None:
    call = {**CALL, "status": "completed", "arguments": text}

    assert is_cut(text)
    assert has_cut_arguments(call)
    assert repaired_output([call]) == [{**call, "status": "incomplete"}]


@pytest.mark.parametrize(
    "text", ["", "\n", "{}", "7", "{'a': 1}", "a", '{"a":NaN}', '{"a":"\t"}', "}", None, {}]
)
def test_complete_arguments(text: Any) -> None:
    assert not is_cut(text)


def test_announced_calls_are_not_cut() -> None:
    """Deltas follow."""
    call = {**CALL, "arguments": '{"a'}

    assert with_text_payload(call) is call

"""Items of a response that deviate from the API are rewritten; others are the same objects."""

from __future__ import annotations

from typing import Any

import pytest

from app.streaming.response_repair import (
    has_cut_arguments,
    json_text,
    repaired_item,
    repaired_output,
    with_content,
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
        {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
    ],
)
def test_what_stays(item: Json) -> None:
    output = [item, item]

    assert repaired_item(item) is item
    assert repaired_output(output) is output


@pytest.mark.parametrize(
    ("kind", "key"),
    [("function_call", "arguments"), ("mcp_call", "arguments"), ("custom_tool_call", "input")],
)
@pytest.mark.parametrize("value", [{}, {"a": [1, "é"]}, [], [{}]])
def test_payload_that_is_not_text(kind: str, key: str, value: Any) -> None:
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

    assert has_cut_arguments(call)
    assert repaired_output([call]) == [{**call, "status": "incomplete"}]


@pytest.mark.parametrize(
    "text", ["", "\n", "{}", "7", "{'a': 1}", "a", '{"a":NaN}', '{"a":"\t"}', "}", None, {}]
)
def test_complete_arguments(text: Any) -> None:
    assert not has_cut_arguments({**CALL, "arguments": text})


def test_announced_calls_are_not_cut() -> None:
    """Deltas follow."""
    call = {**CALL, "arguments": '{"a'}

    assert with_content(call) is call


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, []),
        ("", []),
        (7, []),
        ({"type": "output_text"}, []),
        ([None, {"type": "refusal"}, "x"], [{"type": "refusal"}]),
        ("Hi", [{"type": "output_text", "text": "Hi", "annotations": []}]),
    ],
)
def test_content_that_is_not_a_list_of_parts(content: Any, parts: list[Json]) -> None:
    message = {"type": "message", "content": content}

    assert repaired_output([message]) == [{"type": "message", "content": parts}]


@pytest.mark.parametrize("other", [None, 7, "x", [], {}, {"type": None}, {"type": ["function_call"]}])
def test_values_that_are_not_items_are_left_out(other: Any) -> None:
    assert repaired_output([other, CALL]) == [CALL]


def test_two_calls_have_two_ids() -> None:
    first, second = {**CALL, "id": "fc_1"}, {**CALL, "id": "fc_2"}

    assert repaired_output([first, second]) == [first, {**second, "call_id": "fc_2"}]
    assert repaired_output([first, first]) == [first, first]
    assert repaired_output([CALL, CALL]) == [CALL, CALL]

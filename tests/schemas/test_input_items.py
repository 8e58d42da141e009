from __future__ import annotations

import pytest

from schemas.fields import WireSchema
from schemas.input_items import Input


class Body(WireSchema):
    input = Input()


BODY = Body()

FILE_ID = {"type": "input_file", "file_id": "file-1"}
TRIGGER = {"type": "compaction_trigger"}


@pytest.mark.parametrize(
    "given",
    [
        "",
        "hi",
        [],
        [{}],
        [{"role": "user", "content": "hi"}],
        [{"role": "user", "content": [{"type": "input_text", "text": "hi"}, "hi", 5, None]}],
        [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "input_audio"}]}],
        [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}],
        [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}],
        [{"type": "input_file", "file_id": ""}, {"type": "input_file", "file_id": None, "file_data": "aGk="}],
        [{"type": "function_call_output", "call_id": "call_1", "output": "orphan"}],
        [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]}],
        [{"role": "tool", "tool_call_id": "c", "content": None}, {"role": "tool", "toolCallId": "c"}],
        [{"role": "tool", "tool_call_id": "", "call_id": "c", "output": {"any": 1}}],
        [
            {"type": "reasoning", "encrypted_content": "x", "summary": []},
            {"type": "item_reference", "id": "i"},
        ],
        [{"role": "user", "content": "hi"}, TRIGGER],
        [{"role": ["odd"], "type": {"odd": 1}, "content": 5}],
    ],
)
def test_accepted(given):
    """Items keep their order and are handed on as they came."""
    assert BODY.load({"input": given})["input"] is given


@pytest.mark.parametrize("given", [5, True, {}, {"role": "user", "content": "hi"}, 1.5])
def test_neither_string_nor_array(refusal, given):
    assert refusal(BODY, {"input": given}) == ("input", "input must be a string or an array of items")


@pytest.mark.parametrize("item", ["hi", 5, None, True, []])
def test_no_object(refusal, item):
    assert refusal(BODY, {"input": [{}, item]}) == ("input", "input[1] must be an object")


@pytest.mark.parametrize(
    "item",
    [
        FILE_ID,
        {"type": "input_file", "file_id": 5},
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}, FILE_ID]},
        {"role": "user", "content": FILE_ID},
        {"type": "function_call_output", "call_id": "c", "output": [FILE_ID]},
    ],
)
def test_a_file_that_lies_elsewhere(refusal, item):
    assert refusal(BODY, {"input": [{}, item]}) == (
        "input",
        "input[1] has a file_id, which is not supported: send file_data or file_url",
    )


@pytest.mark.parametrize("ids", [{}, {"tool_call_id": None}, {"call_id": ""}, {"toolCallId": 5}])
def test_a_tool_that_answers_no_call(refusal, ids):
    assert refusal(BODY, {"input": [{"role": "tool", "content": "noon", **ids}]}) == (
        "input",
        "input[0].tool_call_id must be a non-empty string",
    )


@pytest.mark.parametrize("given", [[TRIGGER, {}], [TRIGGER, TRIGGER]])
def test_a_compaction_trigger_is_last_and_alone(refusal, given):
    assert refusal(BODY, {"input": given})[0] == "input"

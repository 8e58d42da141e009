"""A Responses request in its one form."""

from __future__ import annotations

import copy

import pytest

from app.errors import InvalidRequest
from app.translation.requests.responses_input import normalize_input

MODEL = {"model": "m"}
USER = {"role": "user", "content": "hi"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "zzz", "content": []}


def text(kind: str, value: str) -> dict:
    return {"type": kind, "text": value}


def items(*given) -> list[dict]:
    return normalize_input({**MODEL, "input": list(given)})["input"]


class TestForms:
    @pytest.mark.parametrize("value", ["hi", ""])
    def test_string(self, value):
        expected = [{"role": "user", "content": [text("input_text", value)]}]

        assert normalize_input({**MODEL, "input": value}) == {**MODEL, "input": expected}

    @pytest.mark.parametrize("more", [{}, {"input": None}, {"input": []}])
    def test_messages(self, more):
        messages = [{"role": "system", "content": "b"}, USER]
        out = normalize_input({**MODEL, "instructions": "a", "messages": messages, **more})

        assert out == {
            **MODEL,
            "instructions": "a\nb",
            "input": [{"role": "user", "content": [text("input_text", "hi")]}],
        }

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"input": "hi", "messages": [USER]}, "input"),
            ({}, "input"),
            ({"messages": []}, "input"),
            ({"input": {}}, "input"),
            ({"input": ["hi"]}, "input"),
            ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages"),
            (
                {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
                "messages",
            ),
        ],
    )
    def test_refused(self, body, param):
        with pytest.raises(InvalidRequest) as raised:
            normalize_input({**MODEL, **body})

        assert raised.value.param == param

    def test_empty_input(self):
        assert items() == []


class TestItems:
    @pytest.mark.parametrize(
        "item",
        [
            USER,
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "x"},
            {"type": "item_reference", "id": "msg_1"},
            {"type": "custom_tool_call", "call_id": "a", "name": "p", "input": "x"},
            {"type": "additional_tools", "role": "developer", "tools": []},
            {"type": "brand_new", "content": "x"},
            REASONING,
        ],
    )
    def test_untouched(self, item):
        assert items(item)[0] is item

    @pytest.mark.parametrize(
        ("item", "expected"),
        [
            (
                {
                    **USER,
                    "reasoning_content": "x",
                    "tool_calls": [],
                    "function_call": {},
                    "reasoning_details": [],
                },
                USER,
            ),
            (
                {"role": "user", "content": [{**text("input_text", "a"), "reasoning_content": "x"}]},
                {"role": "user", "content": [text("input_text", "a")]},
            ),
            (
                {"role": "assistant", "content": [text("reasoning", "x"), text("output_text", "a")]},
                {"role": "assistant", "content": [text("output_text", "a")]},
            ),
            (
                {"role": "assistant", "content": "a"},
                {"role": "assistant", "content": [text("output_text", "a")]},
            ),
            (
                {"role": "assistant", "content": text("text", "a")},
                {"role": "assistant", "content": [text("output_text", "a")]},
            ),
            (
                {"role": "assistant", "content": [text("input_text", "a"), {"type": "brand_new"}]},
                {"role": "assistant", "content": [text("output_text", "a"), {"type": "brand_new"}]},
            ),
            (
                {
                    "type": "message",
                    "role": "assistant",
                    "phase": "final_answer",
                    "content": [text("output_text", "a")],
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "phase": "final_answer",
                    "content": [text("output_text", "a")],
                },
            ),
            (
                {"role": "user", "content": [text("text", "a"), "b"]},
                {"role": "user", "content": [text("input_text", "a"), text("input_text", "b")]},
            ),
            (
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}],
                },
                {"role": "user", "content": [{"type": "input_image", "image_url": "u", "detail": "low"}]},
            ),
            (
                {"role": "user", "content": [{"type": "image_url", "image_url": "u"}]},
                {"role": "user", "content": [{"type": "input_image", "image_url": "u"}]},
            ),
        ],
    )
    def test_changed(self, item, expected):
        assert items(item) == [expected]

    @pytest.mark.parametrize(
        ("fields", "output"),
        [
            ({"content": "x"}, "x"),
            ({"output": "y", "content": "x"}, "y"),
            ({"content": None}, ""),
            ({}, ""),
            ({"content": [text("text", "a"), text("text", "b")]}, "ab"),
            ({"content": [{"a": 1}]}, '[{"a":1}]'),
            ({"content": [text("text", "a"), {"a": 1}]}, 'a{"a":1}'),
            ({"output": {"a": 1}}, '{"a":1}'),
            ({"content": 7}, "7"),
        ],
    )
    def test_tool_message(self, fields, output):
        """Chat's tool message becomes the output of its call; what is no text becomes JSON."""
        item = {"role": "tool", "toolCallId": "call_a", **fields}

        assert items(item) == [{"type": "function_call_output", "call_id": "call_a", "output": output}]

    @pytest.mark.parametrize(
        "item",
        [
            {"role": "tool", "content": "x"},
            {"type": "input_file", "file_id": "file-1"},
            {"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]},
            {"role": "user", "content": {"type": "input_file", "file_id": "file-1"}},
            {"role": "user", "content": [7]},
            7,
        ],
    )
    def test_refused(self, item):
        with pytest.raises(InvalidRequest) as raised:
            items(USER, item)

        assert raised.value.param == "input"
        assert raised.value.message.startswith("input[1]: ")

    def test_file_data(self):
        item = {"role": "user", "content": [{"type": "input_file", "file_data": "x", "file_id": ""}]}

        assert items(item) == [item]

    def test_compaction_trigger(self):
        """It may only come last."""
        trigger = {"type": "compaction_trigger"}

        assert items(USER, trigger) == [USER, trigger]
        with pytest.raises(InvalidRequest):
            items(trigger, USER)
        with pytest.raises(InvalidRequest):
            items(trigger, trigger)


class TestInstructions:
    def test_nothing_moves(self):
        """System and developer messages stay where they are: accounts take them in the input."""
        note = {"type": "message", "role": "developer", "content": [text("input_text", "c")]}
        body = {**MODEL, "instructions": "a", "input": [{"role": "system", "content": "b"}, USER, note, USER]}

        assert normalize_input(body) == body

    def test_names_of_parts(self):
        assert items({"role": "developer", "content": [text("text", "d")]}) == [
            {"role": "developer", "content": [text("input_text", "d")]}
        ]


class TestOtherFields:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"tools": []}, {"tools": []}),
            (
                {"tools": [{"type": "web_search_preview", "search_context_size": "low"}]},
                {"tools": [{"type": "web_search", "search_context_size": "low"}]},
            ),
            (
                {"tools": [{"type": "mcp", "server_label": "s"}]},
                {"tools": [{"type": "mcp", "server_label": "s"}]},
            ),
            (
                {"tools": [{"type": "function", "function": {"name": "f"}}]},
                {"tools": [{"type": "function", "name": "f"}]},
            ),
            ({"tool_choice": {"type": "web_search_preview"}}, {"tool_choice": {"type": "web_search"}}),
            (
                {"tool_choice": {"type": "function", "function": {"name": "f"}}},
                {"tool_choice": {"type": "function", "name": "f"}},
            ),
            (
                {"tool_choice": {"type": "function", "name": "f"}},
                {"tool_choice": {"type": "function", "name": "f"}},
            ),
            ({"tool_choice": "auto"}, {"tool_choice": "auto"}),
            (
                {"reasoningEffort": "low", "textVerbosity": "high"},
                {"reasoning": {"effort": "low"}, "text": {"verbosity": "high"}},
            ),
            (
                {"reasoning": {"effort": "low", "context": "auto"}},
                {"reasoning": {"effort": "low", "context": "auto"}},
            ),
            ({"promptCacheKey": "k"}, {"prompt_cache_key": "k"}),
            ({"temperature": None, "brand_new": 1}, {"brand_new": 1}),
        ],
    )
    def test_field(self, given, expected):
        assert normalize_input({**MODEL, "input": [], **given}) == {**MODEL, "input": [], **expected}

    def test_refused_tool(self):
        with pytest.raises(InvalidRequest) as raised:
            normalize_input({**MODEL, "input": [], "tools": ["x"]})

        assert raised.value.param == "tools[0]"


BODIES = [
    {**MODEL, "input": "hi", "reasoningEffort": "low", "promptCacheKey": "k"},
    {**MODEL, "messages": [{"role": "system", "content": "a"}, USER, {"role": "assistant", "refusal": "no"}]},
    {
        **MODEL,
        "instructions": "a",
        "tools": [{"type": "web_search_preview"}, {"type": "function", "function": {"name": "f"}}],
        "input": [
            {"role": "system", "content": "b"},
            {"role": "assistant", "content": "x", "tool_calls": []},
            {"role": "tool", "call_id": "c", "content": [text("text", "y")]},
            REASONING,
        ],
    },
]


ECHO = {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"input": [{**ECHO, "reasoning_content": "Hm", "tool_calls": []}]}, ["input.reasoning_content"]),
        ({"input": [{**ECHO, "tool_calls": [{}]}]}, ["input.tool_calls"]),
        ({"input": [{**ECHO, "content": [{"type": "reasoning", "summary": []}]}]}, ["input.reasoning"]),
        (
            {"input": [{**ECHO, "content": [{**text("text", "a"), "reasoning_details": [{}]}]}]},
            ["input.reasoning_details"],
        ),
        ({"messages": [USER, {**ECHO, "reasoning": "Hm"}]}, ["messages.reasoning"]),
        ({"input": "a", "thinking": {"type": "enabled", "budget_tokens": 9}}, ["thinking"]),
        (
            {"input": "a", "thinking": {"type": "disabled"}, "enable_thinking": False},
            ["thinking", "enable_thinking"],
        ),
        ({"input": "a", "thinking": {"type": "enabled"}, "enable_thinking": True}, []),
        ({"input": [USER, REASONING]}, []),
    ],
)
def test_names_of_what_is_left_out(fields, names):
    lost = {}

    normalize_input({"model": "m", **fields}, lost)

    assert list(lost) == names


@pytest.mark.parametrize("body", BODIES)
def test_twice_is_once(body):
    once = normalize_input(body)

    assert normalize_input(once) == once


@pytest.mark.parametrize("body", BODIES)
def test_request_is_not_changed(body):
    before = copy.deepcopy(body)
    normalize_input(body)

    assert body == before

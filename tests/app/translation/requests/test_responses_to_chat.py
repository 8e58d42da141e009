"""A Responses request as a chat request."""

from __future__ import annotations

import copy

import pytest

from app.translation.requests.responses_to_chat import responses_to_chat

MODEL = {"model": "llama-4", "input": [{"role": "user", "content": "hi"}]}
BARE = {
    "model": "llama-4",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
TOOL = {"type": "function", "name": "f", "parameters": {}}
NESTED = {"type": "function", "function": {"name": "f", "parameters": {}}}


def added(**fields) -> dict:
    out = responses_to_chat({**MODEL, **fields})
    return {key: value for key, value in out.items() if BARE.get(key) != value}


def test_bare():
    assert responses_to_chat(MODEL) == BARE


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input": "hi"}, {}),
        ({"instructions": ""}, {}),
        (
            {"instructions": "Be brief."},
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]},
        ),
        (
            {
                "instructions": "Be brief.",
                "input": [
                    {"role": "developer", "content": "Be kind."},
                    {"role": "user", "content": "hi"},
                    {"role": "developer", "content": "A note."},
                ],
            },
            {
                "messages": [
                    {"role": "system", "content": "Be brief.\nBe kind."},
                    {"role": "user", "content": "hi"},
                    {"role": "system", "content": "A note."},
                ]
            },
        ),
        (
            {"temperature": 0.5, "top_p": 1, "metadata": {}, "user": "u"},
            {"temperature": 0.5, "top_p": 1, "metadata": {}, "user": "u"},
        ),
        ({"max_output_tokens": 100}, {"max_completion_tokens": 100}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        (
            {"text": {"verbosity": "low", "format": {"type": "json_object"}}},
            {"verbosity": "low", "response_format": {"type": "json_object"}},
        ),
        ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": True},
            {
                "tools": [NESTED],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "parallel_tool_calls": True,
            },
        ),
        ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, {}),
        (
            {"stream_options": {"include_obfuscation": False}},
            {"stream_options": {"include_usage": True, "include_obfuscation": False}},
        ),
        (
            {
                "include": ["reasoning.encrypted_content"],
                "store": False,
                "stream": False,
                "max_tool_calls": 1,
            },
            {},
        ),
        ({"temperature": None, "reasoning": None, "text": None, "tools": None}, {}),
    ],
)
def test_fields(fields, expected):
    assert added(**fields) == expected


def test_tools_that_come_with_the_input():
    items = [{"type": "additional_tools", "role": "developer", "tools": [TOOL]}, *MODEL["input"]]

    assert added(input=items) == {"tools": [NESTED]}


def test_hosted_tool():
    """It is left out, and with the last tool the choice, which chat refuses without tools."""
    assert added(tools=[{"type": "web_search"}], tool_choice="auto") == {}


def test_name_of_the_maximum_output():
    body = responses_to_chat({**MODEL, "max_output_tokens": 9}, length_field="max_tokens")

    assert body == {**BARE, "max_tokens": 9}


def test_request_is_not_changed():
    body = {
        **MODEL,
        "instructions": "a",
        "tools": [TOOL],
        "text": {"format": {"type": "text"}},
        "reasoning": {"effort": "low"},
        "stream_options": {"include_obfuscation": True},
    }
    before = copy.deepcopy(body)
    responses_to_chat(body)

    assert body == before

"""A chat request as a Responses request."""

from __future__ import annotations

import copy

import pytest

from app.errors import InvalidRequest
from app.translation.requests.chat_to_responses import chat_to_responses

MODEL = {"model": "gpt-5.2", "messages": [{"role": "user", "content": "hi"}]}
BARE = {
    "model": "gpt-5.2",
    "instructions": "",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
    "store": False,
    "stream": True,
}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
FLAT = {"type": "function", "name": "f", "parameters": {}, "strict": False}


def added(**fields) -> dict:
    """Return what *fields* of a chat request add to the Responses request."""
    out = chat_to_responses({**MODEL, **fields})
    return {key: value for key, value in out.items() if BARE.get(key) != value}


def test_bare():
    assert chat_to_responses(MODEL) == BARE


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"temperature": 0.5, "top_p": 1}, {"temperature": 0.5, "top_p": 1}),
        ({"metadata": {"a": "b"}, "user": "u"}, {"metadata": {"a": "b"}, "user": "u"}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"prompt_cache_key": "k", "promptCacheKey": "l"}, {"prompt_cache_key": "k"}),
        ({"promptCacheKey": "l"}, {"prompt_cache_key": "l"}),
        ({"max_tokens": 100}, {"max_output_tokens": 100}),
        ({"max_tokens": 100, "max_completion_tokens": 50}, {"max_output_tokens": 50}),
        ({"max_tokens": 1}, {"max_output_tokens": 16}),
        ({"tools": [TOOL]}, {"tools": [FLAT]}),
        ({"tools": []}, {"tools": []}),
        ({"tools": None, "tool_choice": None}, {}),
        (
            {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
            {"tools": [FLAT], "tool_choice": "required", "parallel_tool_calls": False},
        ),
        (
            {"functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f", "function": {}}},
            {"tools": [FLAT], "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": False},
        ),
        (
            {"functions": [{"name": "f", "parameters": {}}], "function_call": "none"},
            {"tools": [FLAT], "tool_choice": "none", "parallel_tool_calls": False},
        ),
        ({"tools": [TOOL], "web_search_options": {}}, {"tools": [FLAT, {"type": "web_search"}]}),
        ({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"reasoning": {"effort": "low", "max_tokens": 9}}, {"reasoning": {"effort": "low"}}),
        (
            {"verbosity": "low", "response_format": {"type": "json_object"}},
            {"text": {"verbosity": "low", "format": {"type": "json_object"}}},
        ),
        ({"text": {"format": {"type": "text"}}}, {"text": {"format": {"type": "text"}}}),
        (
            {"logprobs": True, "top_logprobs": 3},
            {"include": ["message.output_text.logprobs"], "top_logprobs": 3},
        ),
        (
            {"logprobs": True, "include": ["message.output_text.logprobs"]},
            {"include": ["message.output_text.logprobs"]},
        ),
        ({"logprobs": False}, {}),
        ({"include": ["reasoning.encrypted_content"]}, {"include": ["reasoning.encrypted_content"]}),
        ({"instructions": "Be brief."}, {"instructions": "Be brief."}),
        (
            {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
            {"stream_options": {"include_obfuscation": False}},
        ),
        ({"stream_options": {"include_obfuscation": False}}, {}),
        ({"stream": False, "store": True}, {}),
        (
            {
                "stop": ["x"],
                "seed": 1,
                "n": 1,
                "logit_bias": {"1": 2},
                "presence_penalty": 1,
                "prediction": {},
            },
            {},
        ),
        (
            {
                "frequency_penalty": 1,
                "modalities": ["text"],
                "audio": None,
                "fallbacks": ["a/b"],
                "unheard": 1,
            },
            {},
        ),
    ],
)
def test_fields(fields, expected):
    assert added(**fields) == expected


def test_given_instructions_come_first():
    messages = [{"role": "system", "content": "b"}, *MODEL["messages"]]

    assert added(instructions="a", messages=messages)["instructions"] == "a\nb"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": {"type": "text"}, "text": {"format": {"type": "text"}}}, "response_format"),
        ({"tool_choice": "f"}, "tool_choice"),
        ({"tools": [{}]}, "tools[0]"),
        ({"functions": [{}]}, "tools[0]"),
        ({"messages": [{"role": "x"}]}, "messages"),
    ],
)
def test_refused(fields, param):
    with pytest.raises(InvalidRequest) as raised:
        chat_to_responses({**MODEL, **fields})

    assert raised.value.param == param


def test_request_is_not_changed():
    body = {
        **MODEL,
        "tools": [TOOL, {"type": "function", "function": {"name": "g"}}],
        "text": {"verbosity": "low"},
        "reasoning": {"summary": "auto"},
        "reasoning_effort": "low",
        "include": [],
        "logprobs": True,
        "response_format": {"type": "text"},
        "web_search_options": {},
    }
    before = copy.deepcopy(body)
    chat_to_responses(body)

    assert body == before

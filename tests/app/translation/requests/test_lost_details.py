"""What translated requests lose inside their fields."""

from __future__ import annotations

import pytest

from app.translation.requests.carried_state import encode_state
from app.translation.requests.lost_details import has_breakpoints, lost_in_chat, lost_in_responses

HINT = {"prompt_cache_breakpoint": {"mode": "explicit"}}
TEXT = {"type": "text", "text": "a"}
REASONING = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]}
QUESTION, REPLY, NOTE = ({"role": role, "content": "a"} for role in ("user", "assistant", "developer"))


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        ({"messages": [{"role": "user", "content": [{**TEXT, **HINT}]}]}, []),
        ({"messages": [{"role": "user", "content": "a", "name": "n"}]}, ["messages.name"]),
        ({"messages": [{"role": "function", "content": "a", "name": "n"}]}, []),
        (
            {"messages": [{"role": "assistant", "content": "a", "annotations": [{}], "reasoning": "Hm"}]},
            ["messages.annotations", "messages.reasoning"],
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "content": [{"type": "thinking", "thinking": "Hm"}, TEXT, {"type": "reference"}],
                        "content_parts": [{"type": "reference"}],
                    }
                ]
            },
            ["messages.content_parts", "messages.thinking", "messages.reference"],
        ),
        (
            {"messages": [{"role": "tool", "content": [{**TEXT, **HINT}]}]},
            ["messages.prompt_cache_breakpoint"],
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "async": True}, "more": 1}]},
            ["tools.more", "tools.async"],
        ),
        ({"tools": [{"type": "function", "name": "f", "more": 1}]}, []),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "more": 1}}},
            ["response_format.more"],
        ),
        ({"response_format": {"type": "json_object", "schema": {}}}, ["response_format.schema"]),
        (
            {"messages": [{"role": "assistant", "content": "a", "prefix": True, "annotations": []}]},
            ["messages.prefix"],
        ),
        (
            {"messages": [{"role": "assistant", "content": [{**TEXT, "annotations": [{}]}]}]},
            ["messages.annotations"],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {**TEXT, "more": 1},
                            {"type": "image_url", "image_url": {"url": "u", "format": "f"}},
                            {"type": "file", "file": {"file_data": "d", "pages": 1}},
                            {"type": "input_image", "image_url": "u", "more": 1},
                        ],
                    }
                ]
            },
            ["messages.more", "messages.format", "messages.pages"],
        ),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [
                            {
                                "id": "c",
                                "index": 0,
                                "extra_content": {},
                                "function": {"name": "f", "arguments": "{}", "parsed_arguments": {}},
                            },
                            7,
                        ],
                    }
                ]
            },
            ["messages.extra_content", "messages.parsed_arguments"],
        ),
        ({"messages": [{"role": "tool", "toolCallId": "c", "content": [{"type": "json", "json": {}}]}]}, []),
        ({"web_search_options": {"user_location": {}, "filters": {}}}, ["web_search_options.filters"]),
        ({"stream_options": {"include_usage": True, "more": None}}, []),
        ({"messages": [7], "tools": ["x"], "response_format": "text"}, []),
    ],
)
def test_chat(body, lost):
    assert lost_in_responses(body) == lost


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        ({"input": "hi", "tools": [{"type": "function", "name": "f", "strict": True}]}, []),
        ({"tools": [{"type": "web_search"}, {"type": "web_search"}]}, ["tools.web_search"]),
        (
            {"tools": [{"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "mcp"}]}]},
            ["tools.mcp", "tools.namespace"],
        ),
        ({"tools": [{"type": "function", "name": "f", "defer_loading": True}]}, ["tools.defer_loading"]),
        (
            {"input": [{"type": "additional_tools", "tools": [{"type": "image_generation"}]}]},
            ["tools.image_generation"],
        ),
        (
            {"input": [{"type": "web_search_call"}, {"type": "mcp_call"}]},
            ["input.web_search_call", "input.mcp_call"],
        ),
        ({"input": [{"type": "reasoning", "encrypted_content": "gAAA"}]}, ["input.reasoning"]),
        ({"input": [REASONING, QUESTION]}, ["input.reasoning"]),
        ({"input": [QUESTION, REASONING]}, ["input.reasoning"]),
        ({"input": [REASONING, NOTE, REPLY, QUESTION]}, []),
        ({"input": [REASONING, {"type": "function_call", "call_id": "c", "name": "f"}, QUESTION]}, []),
        ({"input": [{**QUESTION, "name": "n"}, {**REPLY, "status": "completed"}]}, ["input.name"]),
        (
            {"input": [{"role": "assistant", "content": [{**TEXT, "logprobs": [{}], "parsed": 1}]}]},
            ["input.parsed"],
        ),
        ({"text": {"format": {"type": "json_schema", "name": "n", "more": 1}}}, ["text.format.more"]),
        ({"text": {"verbosity": "low"}, "stream_options": {"more": 1}}, ["stream_options.more"]),
        ({"tools": [{"type": "custom", "name": "c", "format": {"type": "odd"}}]}, ["tools.format"]),
        ({"tools": [{"type": "custom", "name": "c", "format": {"type": "grammar"}}]}, []),
        (
            {"input": [{"type": "reasoning", "encrypted_content": encode_state({})}, {"type": "reasoning"}]},
            [],
        ),
        (
            {
                "input": [
                    {"role": "assistant", "phase": "commentary", "content": [{**TEXT, "annotations": [{}]}]},
                    {"role": "user", "content": [{"type": "input_file", "detail": "low"}, {**TEXT, **HINT}]},
                    {"role": "developer", "content": [{**TEXT, **HINT}]},
                ]
            },
            ["input.phase", "input.annotations", "input.detail", "input.prompt_cache_breakpoint"],
        ),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [{**TEXT, **HINT}]}]},
            ["input.prompt_cache_breakpoint"],
        ),
    ],
)
def test_responses(body, lost):
    assert lost_in_chat(body) == lost


def test_breakpoints():
    assert has_breakpoints([{"role": "user", "content": [{**TEXT, **HINT}]}])
    assert has_breakpoints([{"type": "function_call_output", "output": [{**TEXT, **HINT}]}])
    assert not has_breakpoints([{"role": "user", "content": [TEXT]}, {"content": "a"}])

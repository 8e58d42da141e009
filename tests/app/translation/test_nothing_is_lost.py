"""Whatever a request has reaches the upstream, or is listed as ignored."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from app.accounts.kinds import KINDS
from app.translation.requests.responses_input import normalize_input
from app.translation.requests.upstream_request import upstream_body

Json = dict[str, Any]

HINT = {"mode": "explicit", "ttl": "30m"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CHAT: Json = {
    "model": "m",
    "messages": [
        {
            "role": "system",
            "name": "n",
            "content": [{"type": "text", "text": "t", "prompt_cache_breakpoint": HINT}],
        },
        {
            "role": "user",
            "name": "n",
            "content": [
                {"type": "text", "text": "t", "prompt_cache_breakpoint": HINT},
                {"type": "image_url", "image_url": {"url": "u", "detail": "low"}},
                {"type": "file", "file": {"file_data": "data:a/b;base64,QQ", "filename": "f"}},
            ],
        },
        {
            "role": "assistant",
            "name": "n",
            "content": "t",
            "refusal": "r",
            "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}],
            "reasoning_content": "Hm",
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "d", "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "t"}]},
        {"role": "tool", "tool_call_id": "d", "content": "x"},
        {"role": "developer", "content": "t"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True, "more": "x"},
        },
        {"type": "custom", "custom": {"name": "g", "description": "d"}},
    ],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True, "more": "x"},
    },
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "c", "country": "o"}},
        "more": "x",
    },
    "stream_options": {"more": "x"},
    "reasoning_effort": "low",
    "verbosity": "low",
    "metadata": {"a": "b"},
    "seed": 7,
    "stop": ["s"],
    "unheard_of": "x",
}
RESPONSES: Json = {
    "model": "m",
    "instructions": "i",
    "input": [
        {
            "role": "developer",
            "content": [{"type": "input_text", "text": "t", "prompt_cache_breakpoint": HINT}],
        },
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "t", "prompt_cache_breakpoint": HINT},
                {"type": "input_image", "image_url": "u", "detail": "low"},
                {
                    "type": "image_url",
                    "image_url": {"url": "u", "detail": "low"},
                    "prompt_cache_breakpoint": HINT,
                },
                {"type": "input_file", "file_data": "data:a/b;base64,QQ", "filename": "f", "detail": "low"},
            ],
        },
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm"}], "summary": []},
        {
            "type": "message",
            "role": "assistant",
            "phase": "commentary",
            "content": [
                {"type": "output_text", "text": "t", "annotations": [{"type": "url_citation", "url": "u"}]}
            ],
        },
        {"type": "function_call", "call_id": "c", "namespace": "n", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": "x"},
        {"type": "local_shell_call", "call_id": "e", "action": {"type": "exec", "command": ["ls"]}},
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [
                {"type": "input_text", "text": "t", "prompt_cache_breakpoint": HINT},
                {"type": "input_image", "image_url": "u"},
                {"type": "input_file", "file_data": "data:a/b;base64,QQ", "filename": "f"},
            ],
        },
        {"type": "custom_tool_call_output", "call_id": "d", "output": "x"},
        {"type": "local_shell_call_output", "call_id": "e", "output": "x"},
        {"type": "web_search_call", "action": {"type": "search", "query": "q"}},
        {"type": "image_generation_call", "result": "r"},
        {"type": "mcp_call", "name": "n", "arguments": "{}"},
        {"type": "tool_search_output", "tools": [{"type": "function", "name": "h", "description": "d"}]},
        {"role": "developer", "content": "t"},
    ],
    "tools": [
        {
            "type": "namespace",
            "name": "n",
            "description": "d",
            "tools": [{"type": "function", "name": "f", "description": "d", "parameters": SCHEMA}],
        },
        {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark", "definition": "d"}},
        {"type": "function", "name": "i", "defer_loading": True, "output_schema": SCHEMA, "strict": True},
        {"type": "local_shell"},
        {"type": "web_search", "search_context_size": "low"},
    ],
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
    "reasoning": {"effort": "low", "summary": "auto"},
    "metadata": {"a": "b"},
    "include": ["reasoning.encrypted_content"],
    "unheard_of": "x",
}
ACCOUNTS = {
    "openai": ("openai", ("chat", "responses")),
    "chat only": ("compatible", ("chat",)),
    "responses only": ("compatible", ("responses",)),
    "chatgpt": ("chatgpt", ("responses",)),
}
# Without an effect on the response, or with a value that the gateway acts on.
EXEMPT = ("type", "role", "mode", "ttl", "detail", "arguments", "file_data", "phase")
ECHOES_TO_OPENAI = ("reasoning_content",)  # part of an earlier response, which that API does not take
EXEMPT_FIELDS = ("include", "stop")  # the gateway itself ends a response at `stop`


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each string in *value*."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    elif isinstance(value, str):
        yield path


def changed(body: Json, path: tuple[Any, ...], text: str) -> Json:
    out = copy.deepcopy(body)
    holder: Any = out
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = text
    return out


def is_named(path: tuple[Any, ...], ignored: list[str], body: Json) -> bool:
    """Return whether *ignored* lists the field of *path*, or a key or type on the way to it."""
    if path[0] in ignored:
        return True
    names = {str(key) for key in path}
    value: Any = body
    for key in path:
        value = value[key]
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            names.add(value["type"])
    return any(f"{path[0]}.{name}" in ignored for name in names)


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_every_text(protocol: str, account: str) -> None:
    kind, protocols = ACCOUNTS[account]
    given = CHAT if protocol == "chat" else RESPONSES
    lost = []
    for number, path in enumerate(leaves(given)):
        if path[-1] in EXEMPT or path[0] in EXEMPT_FIELDS:
            continue
        if kind == "openai" and path[-1] in ECHOES_TO_OPENAI:
            continue
        text = f"sentinel-{number}"
        body = changed(given, path, text)
        requested = normalize_input(body) if protocol == "responses" else body
        sent = upstream_body(protocol, requested, KINDS[kind].dialect, protocols)
        if text.encode() not in orjson.dumps(sent.body) and not is_named(path, sent.ignored, body):
            lost.append(path)

    assert lost == []

"""
Name what a translated request loses inside its fields, for the header that lists ignored fields.

A name is that of the field with the key or type that has no place in the other protocol:
`tools.web_search`, `messages.name`. Left out are keys without an effect on the response, such as the
ids of items. `field_support` names the fields that are lost as a whole.

Source: https://platform.openai.com/docs/guides/migrate-to-responses
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from app.translation.requests.carried_state import is_carried
from app.translation.requests.chat_tool_names import is_client_tool, walk
from app.translation.requests.input_to_messages import SKIPPED_TYPES, added_tools
from app.translation.requests.parts import ECHOED_TYPES, as_list
from app.translation.requests.reasoning_and_format import SCHEMA_FIELDS
from app.translation.requests.tools import CUSTOM_FIELDS, FUNCTION_FIELDS, hosted_types

Body = Mapping[str, Any]

BREAKPOINT = "prompt_cache_breakpoint"
ECHOED = (  # in assistant messages
    *("annotations", "content_parts", "reasoning_content", "reasoning", "reasoning_details"),
)
FLAT_KEYS = ("type", "strict", *FUNCTION_FIELDS, *CUSTOM_FIELDS)
NESTED_KEYS = ("type", "function", "custom", "cache_control")  # `cache_control` is listed by itself
SEARCH_KEYS = ("search_context_size", "user_location")
STREAM_KEYS = ("include_usage", "include_obfuscation")


def lost_in_responses(body: Body) -> list[str]:
    """Return the names of what the chat request *body* loses in Responses, each once."""
    return list(dict.fromkeys(_lost_in_responses(body)))


def lost_in_chat(body: Body) -> list[str]:
    """Return the names of what the Responses request *body* loses in chat, each once."""
    return list(dict.fromkeys(_lost_in_chat(body)))


def _lost_in_responses(body: Body) -> Iterator[str]:
    for message in as_list(body.get("messages")):
        if not isinstance(message, dict):
            continue
        if message.get("name") is not None and message.get("role") != "function":
            yield "messages.name"
        if message.get("role") == "assistant":
            yield from (f"messages.{key}" for key in ECHOED if message.get(key))
            yield from (
                f"messages.{part['type']}"
                for part in as_list(message.get("content"))
                if isinstance(part, dict) and part.get("type") in ECHOED_TYPES
            )
        if message.get("role") != "user" and _has_breakpoint(message.get("content")):
            yield f"messages.{BREAKPOINT}"
    for tool in as_list(body.get("tools")):
        nested = tool.get(tool.get("type", "function")) if isinstance(tool, dict) else None
        if isinstance(nested, dict):
            yield from _unknown("tools", tool, NESTED_KEYS)
            yield from _unknown("tools", nested, FLAT_KEYS)
    schema = body.get("response_format")
    schema = schema.get("json_schema") if isinstance(schema, dict) else None
    yield from _unknown("response_format", schema, SCHEMA_FIELDS)
    yield from _unknown("web_search_options", body.get("web_search_options"), SEARCH_KEYS)
    yield from _unknown("stream_options", body.get("stream_options"), STREAM_KEYS)


def _lost_in_chat(body: Body) -> Iterator[str]:
    items = [item for item in as_list(body.get("input")) if isinstance(item, dict)]
    tools = [*as_list(body.get("tools")), *added_tools(items)]
    yield from (f"tools.{kind}" for kind in hosted_types(tools))
    if any(
        isinstance(tool, dict) and tool.get("type") == "namespace" and tool.get("description")
        for tool in tools
    ):
        yield "tools.namespace"  # its description
    for tool, _ in walk(tools):
        if is_client_tool(tool):
            yield from _unknown("tools", tool, (*FLAT_KEYS, *NESTED_KEYS))
    for item in items:
        kind = item.get("type", "message")
        if kind in SKIPPED_TYPES or (
            kind == "reasoning" and item.get("encrypted_content") and not is_carried(item)
        ):
            yield f"input.{kind}"
        elif kind == "message":
            yield from _lost_of_message(item)
        elif _has_breakpoint(item.get("output")):
            yield f"input.{BREAKPOINT}"


def _lost_of_message(item: Body) -> Iterator[str]:
    if item.get("phase") is not None:
        yield "input.phase"
    parts = [part for part in as_list(item.get("content")) if isinstance(part, dict)]
    if any(part.get("annotations") for part in parts):
        yield "input.annotations"
    if any(part.get("type") == "input_file" and part.get("detail") for part in parts):
        yield "input.detail"
    if item.get("role") != "user" and _has_breakpoint(parts):
        yield f"input.{BREAKPOINT}"


def has_breakpoints(items: Any) -> bool:
    """Return whether a part of Responses *items* has a cache hint."""
    return any(
        _has_breakpoint(item.get(name))
        for item in as_list(items)
        if isinstance(item, dict)
        for name in ("content", "output")
    )


def _has_breakpoint(parts: Any) -> bool:
    return any(isinstance(part, dict) and part.get(BREAKPOINT) is not None for part in as_list(parts))


def _unknown(field: str, value: Any, known: Collection[str]) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (
            f"{field}.{key}" for key, inner in value.items() if key not in known and inner is not None
        )

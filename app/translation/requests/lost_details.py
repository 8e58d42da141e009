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
from app.translation.requests.input_items import added_tools
from app.translation.requests.input_to_messages import SKIPPED_TYPES
from app.translation.requests.parts import ECHOED_TYPES, TEXT_TYPES, as_list
from app.translation.requests.reasoning_and_format import SCHEMA_FIELDS
from app.translation.requests.tools import CUSTOM_FIELDS, FUNCTION_FIELDS, hosted_types
from schemas.call_ids import NAMES as CALL_ID_NAMES

Body = Mapping[str, Any]

BREAKPOINT = "prompt_cache_breakpoint"
MESSAGE_KEYS = frozenset(
    {*("role", "content", "refusal", "audio", "tool_calls", "function_call", "cache_control"), *CALL_ID_NAMES}
)
PART_KEYS = frozenset(
    {*("type", "text", "refusal", "image_url", "file"), BREAKPOINT, "cache_control"}
)  # `cache_control` is listed by itself
KNOWN_PARTS = (*TEXT_TYPES, "refusal", "image_url", "file")
IMAGE_KEYS = ("url", "detail")
FILE_KEYS = ("file_data", "data", "file_url", "filename", "mime_type", "content_type")
CALL_KEYS = ("id", "type", "index", "function", "custom")
CALLED_KEYS = ("name", "arguments", "input")
ITEM_KEYS = frozenset({"type", "id", "role", "status", "content"})  # of a message
OUTPUT_PART_KEYS = frozenset({*PART_KEYS, "annotations", "logprobs"})
FORMAT_KEYS = ("type", "json_schema")
TEXT_FORMAT_KEYS = ("type", *SCHEMA_FIELDS)
CALL_TYPES = ("function_call", "custom_tool_call", "local_shell_call")
CUSTOM_FORMATS = ("text", "grammar")
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
        if isinstance(message, dict):
            yield from _lost_of_chat_message(message)
    for tool in as_list(body.get("tools")):
        nested = tool.get(tool.get("type", "function")) if isinstance(tool, dict) else None
        if isinstance(nested, dict):
            yield from _unknown("tools", tool, NESTED_KEYS)
            yield from _unknown("tools", nested, FLAT_KEYS)
    form = body.get("response_format")
    schema = form.get("json_schema") if isinstance(form, dict) else None
    yield from _unknown("response_format", form, FORMAT_KEYS)
    yield from _unknown("response_format", schema, SCHEMA_FIELDS)
    yield from _unknown("web_search_options", body.get("web_search_options"), SEARCH_KEYS)
    yield from _unknown("stream_options", body.get("stream_options"), STREAM_KEYS)


def _lost_of_chat_message(message: Body) -> Iterator[str]:
    role = message.get("role")
    for key, value in message.items():
        if key not in MESSAGE_KEYS and value and not (key == "name" and role == "function"):
            yield f"messages.{key}"
    content = message.get("content")
    if isinstance(content, list | dict):
        for part in as_list(content):
            if isinstance(part, dict):
                yield from _lost_of_chat_part(part, role)
        if role != "user" and _has_breakpoint(content):
            yield f"messages.{BREAKPOINT}"
    for call in as_list(message.get("tool_calls")):
        if isinstance(call, dict):
            yield from _unknown("messages", call, CALL_KEYS)
            yield from _unknown("messages", call.get("function"), CALLED_KEYS)
            yield from _unknown("messages", call.get("custom"), CALLED_KEYS)


def _lost_of_chat_part(part: Body, role: Any) -> Iterator[str]:
    kind = part.get("type")
    if role == "assistant" and kind in ECHOED_TYPES:
        yield f"messages.{kind}"
    elif kind in KNOWN_PARTS:  # other parts are passed on or refused
        yield from (f"messages.{key}" for key in part if key not in PART_KEYS and part[key])
        yield from _unknown("messages", part.get("image_url"), IMAGE_KEYS)
        yield from _unknown("messages", part.get("file"), FILE_KEYS)


def _lost_in_chat(body: Body) -> Iterator[str]:
    items = [item for item in as_list(body.get("input")) if isinstance(item, dict)]
    tools = [*as_list(body.get("tools")), *added_tools(items)]
    yield from (f"tools.{kind}" for kind in hosted_types(tools))
    if any(
        isinstance(tool, dict) and tool.get("type") == "namespace" and tool.get("description")
        for tool in tools
    ):
        yield "tools.namespace"  # the description of the namespace
    for tool, _ in walk(tools):
        if is_client_tool(tool):
            yield from _unknown("tools", tool, (*FLAT_KEYS, *NESTED_KEYS))
            form = tool.get("format")
            if isinstance(form, dict) and form.get("type") not in CUSTOM_FORMATS:
                yield "tools.format"
    yield from _lost_of_items(items)
    text = body.get("text")
    yield from _unknown(
        "text.format", text.get("format") if isinstance(text, dict) else None, TEXT_FORMAT_KEYS
    )
    yield from _unknown("stream_options", body.get("stream_options"), STREAM_KEYS)


def _lost_of_items(items: list[Any]) -> Iterator[str]:
    waits = False  # whether reasoning waits for its message or call
    for item in items:
        kind = item.get("type", "message")
        if kind in SKIPPED_TYPES or (
            kind == "reasoning" and item.get("encrypted_content") and not is_carried(item)
        ):
            yield f"input.{kind}"
        elif kind == "reasoning":
            waits = waits or bool(item.get("content") or item.get("summary"))
        elif kind == "message":
            if waits and item.get("role") == "user":
                yield "input.reasoning"
            waits = waits and item.get("role") not in ("user", "assistant")
            yield from _lost_of_message(item)
        elif kind in CALL_TYPES:
            waits = False
        elif _has_breakpoint(item.get("output")):
            yield f"input.{BREAKPOINT}"
    if waits:
        yield "input.reasoning"


def _lost_of_message(item: Body) -> Iterator[str]:
    yield from (f"input.{key}" for key in item if key not in ITEM_KEYS and item[key])
    parts = [part for part in as_list(item.get("content")) if isinstance(part, dict)]
    if any(part.get("annotations") for part in parts):
        yield "input.annotations"
    for part in parts:
        if part.get("type") == "input_file" and part.get("detail"):
            yield "input.detail"
        if part.get("type") in (*TEXT_TYPES, "refusal"):
            yield from (f"input.{key}" for key in part if key not in OUTPUT_PART_KEYS and part[key])
    if item.get("role") != "user" and _has_breakpoint(parts):
        yield f"input.{BREAKPOINT}"


def lost_at_chatgpt(body: Body) -> list[str]:
    """Return the names of what the Responses request *body* loses at the ChatGPT backend."""
    hints = [f"input.{BREAKPOINT}"] if has_breakpoints(body["input"]) else []
    return [*hints, *_unknown("stream_options", body.get("stream_options"), STREAM_KEYS)]


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

"""
Normalize the input of a Responses request.

Clients send strings, chat messages, chat's names of roles, parts and tools, and echoed
reasoning. The result has `input` as an array of items. System and developer messages stay where
they are: the start of the prompt is what upstreams cache. Normalizing twice changes nothing.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import orjson

from app.errors import InvalidRequest
from app.openai_types.responses import ContentPart, ResponsesItem
from app.translation.requests.chat_tool_names import MAX_ID_CHARS, short_id
from app.translation.requests.input_items import input_items
from app.translation.requests.lost_details import lost_in_responses
from app.translation.requests.messages_to_input import input_from_messages, shown_parts
from app.translation.requests.parts import ECHOED_TYPES, TEXT_TYPES, as_list, invalid, output_text, text_of
from app.translation.requests.reasoning_and_format import (
    ALIASES,
    THINKING_SWITCHES,
    loses_thinking,
    reasoning_settings,
    text_settings,
    without_nulls,
)
from app.translation.requests.tools import WEB_SEARCH_TYPES, unnested
from schemas.call_ids import call_id_of

Body = dict[str, Any]
Names = dict[str, None]  # a set in order of insertion
Echoing = TypeVar("Echoing", bound=Mapping[str, Any])

ECHOES = frozenset({"reasoning_content", "reasoning_details", "tool_calls", "function_call"})


def normalize_input(body: Body, lost: Names | None = None) -> Body:
    """
    Return *body* with normalized `input`, `instructions`, tools and settings.

    The names of fields that are sent to no account are added to *lost*.
    Raises InvalidRequest, with the field in `param`, for content that no account supports.
    """
    lost = {} if lost is None else lost
    out = {name: value for name, value in without_nulls(body).items() if name not in ALIASES}
    instructions, out["input"] = _input(out.pop("messages", None), out.get("input"), lost)
    lost.update((name, None) for name in THINKING_SWITCHES if loses_thinking(body.get(name)))
    texts = [text for text in (out.get("instructions"), instructions) if text]
    if texts:
        out["instructions"] = "\n".join(texts)
    if "tools" in out:
        out["tools"] = [_tool(tool, index) for index, tool in enumerate(out["tools"])]
    if "tool_choice" in out:
        out["tool_choice"] = _choice(out["tool_choice"])
    out.update({"reasoning": reasoning} if (reasoning := reasoning_settings(body)) else {})
    out.update({"text": text} if (text := text_settings(body)) else {})
    if body.get("promptCacheKey"):
        out.setdefault("prompt_cache_key", body["promptCacheKey"])
    return out


def _input(messages: Any, items: Any, lost: Names) -> tuple[str, list[ResponsesItem]]:
    """Return (instructions, items) from `messages` or `input`."""
    if messages and items:
        raise InvalidRequest("give either 'input' or 'messages', not both", param="input")
    if messages:
        lost.update((name, None) for name in lost_in_responses({"messages": messages}))
        return input_from_messages(messages)
    out: list[ResponsesItem] = []
    item: ResponsesItem
    for index, item in enumerate(input_items(items)):
        path = f"input[{index}]"
        if not isinstance(item, dict):
            raise invalid(path, "an item must be an object")
        out.append(_item(item, path, lost))
    _check_triggers(out)
    return "", out


def _item(item: ResponsesItem, path: str, lost: Names) -> ResponsesItem:
    item = _without_echoes(item, lost)
    _refuse_file_id(item, path)
    call_id = item.get("call_id")
    if isinstance(call_id, str) and len(call_id) > MAX_ID_CHARS:
        item = {**item, "call_id": short_id(call_id)}
    role = item.get("role")
    if role == "tool":
        return _tool_output(item, path)
    content = item.get("content")
    if role is None or content is None or item.get("type", "message") != "message":
        return item
    if isinstance(content, str) and role != "assistant":
        return item  # the API accepts strings here
    parts = [_part(part, role, path, lost) for part in as_list(content) if not _is_echo(part, lost)]
    return {**item, "content": parts}


def _is_echo(part: Any, lost: Names) -> bool:
    is_echo = isinstance(part, dict) and part.get("type") in ECHOED_TYPES
    if is_echo:
        lost[f"input.{part['type']}"] = None
    return is_echo


def _part(part: Any, role: Any, path: str, lost: Names) -> Any:
    """Return a part of a message in the format of Responses; unknown parts pass unchanged."""
    kind = part.get("type") if isinstance(part, dict) else None
    if isinstance(part, str) or (kind in TEXT_TYPES and text_of(part) is not None):
        part_type = "output_text" if role == "assistant" else "input_text"
        if isinstance(part, str):
            return {"type": part_type, "text": part}
        part = part if kind == part_type else {**part, "type": part_type}
    elif kind == "image_url":
        hint = {key: part[key] for key in ("prompt_cache_breakpoint",) if part.get(key) is not None}
        part = {**_input_image(part.get("image_url")), **hint}
    elif not isinstance(part, dict):
        raise invalid(path, "a part must be an object or a string")
    _refuse_file_id(part, path)
    return _without_echoes(part, lost)


def _without_echoes(value: Echoing, lost: Names) -> Echoing:
    if ECHOES.isdisjoint(value):
        return value
    lost.update((f"input.{key}", None) for key in value if key in ECHOES and value[key])
    return cast(Echoing, {key: value[key] for key in value if key not in ECHOES})


def _input_image(image: Any) -> ContentPart:
    image = image if isinstance(image, dict) else {"url": image}
    part: ContentPart = {
        "type": "input_image",
        "image_url": image.get("url"),
        "detail": image.get("detail"),
    }
    return without_nulls(part)


def _refuse_file_id(part: Mapping[str, Any], path: str) -> None:
    if part.get("type") == "input_file" and part.get("file_id"):
        raise invalid(path, "'input_file.file_id' is not supported; send the file's data")


def _tool_output(item: ResponsesItem, path: str) -> ResponsesItem:
    """Return a chat tool message as a `function_call_output` item."""
    call_id = call_id_of(item)
    if call_id is None:
        raise invalid(path, "a tool message needs the 'tool_call_id' that it answers")
    value: Any = item["output"] if item.get("output") is not None else item.get("content")
    if isinstance(value, list) and (parts := shown_parts(value, path)):
        value = parts
    elif not isinstance(value, str):
        parts = as_list(value)
        has_text = any(text_of(part) is not None for part in parts)
        value = "".join(map(output_text, parts)) if has_text or not value else orjson.dumps(value).decode()
    return {"type": "function_call_output", "call_id": short_id(call_id), "output": value}


def _check_triggers(items: list[ResponsesItem]) -> None:
    for index, item in enumerate(items[:-1]):
        if item.get("type") == "compaction_trigger":
            raise invalid(f"input[{index}]", "a 'compaction_trigger' may only come last")


def _tool(tool: Any, index: int) -> Any:
    if not isinstance(tool, dict):
        raise InvalidRequest(f"tools[{index}]: a tool must be an object", param=f"tools[{index}]")
    if tool.get("type") in WEB_SEARCH_TYPES:
        return {**tool, "type": "web_search"}
    nested = any(isinstance(tool.get(key), dict) for key in ("function", "custom"))
    return unnested(tool) if nested else tool


def _choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    if choice.get("type") in WEB_SEARCH_TYPES:
        return {**choice, "type": "web_search"}
    kind = choice.get("type")
    nested = choice.get(kind) if isinstance(kind, str) else None
    return {"type": kind, **nested} if isinstance(nested, dict) else choice

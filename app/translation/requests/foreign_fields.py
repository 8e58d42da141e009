"""
Leave out of a chat request what other services add to messages and tools: the OpenAI API refuses it.

Clients return messages as they received them, also to an account other than the one that sent them.

Source: https://platform.openai.com/docs/api-reference/chat/create (messages, tools), which answers 400
to unknown keys and types of parts
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar, cast

from app.openai_types.chat import ChatMessage
from app.translation.requests.parts import ECHOED_TYPES

Body = dict[str, Any]
Fields = TypeVar("Fields", bound=Mapping[str, Any])

OWN_KEY = "content_parts"  # the gateway's responses add it: see `app.streaming.chat_repair`
CACHE_HINT = "cache_control"
FOREIGN_KEYS = frozenset(
    {
        *("reasoning", "reasoning_content", "reasoning_details", "thinking_blocks", "extra_content"),
        *(CACHE_HINT, "provider_specific_fields", OWN_KEY),
    }
)
# Of a call; clients that join chunks do not remove the index
CALL_KEYS = frozenset({"index", "extra_content"})
WITHOUT_EFFECT = frozenset({"index", OWN_KEY})  # their removal need not be reported


def without_foreign_fields(body: Body, lost: dict[str, None], *, is_plain: bool = False) -> Body:
    """
    Return the chat request *body* without other services' fields; their names are added to *lost*.

    *is_plain* is whether none of its messages is `beyond_text`: then these have no such fields.
    """
    tools = {"tools": _clean_tools(body["tools"], lost)} if body.get("tools") else {}
    messages = body["messages"]
    if not is_plain:
        messages = [_clean_message(message, lost) for message in messages]
    return {**body, "messages": messages, **tools}


def _clean_message(message: ChatMessage, lost: dict[str, None]) -> ChatMessage:
    changed: ChatMessage = {}
    if isinstance(content := message.get("content"), list):
        changed["content"] = _clean_parts(content, message.get("role"), lost)
    if isinstance(calls := message.get("tool_calls"), list):
        changed["tool_calls"] = [
            _without(call, CALL_KEYS, "messages", lost) if isinstance(call, dict) else call for call in calls
        ]
    if not changed and FOREIGN_KEYS.isdisjoint(message):
        return message
    return _without(message, FOREIGN_KEYS, "messages", lost) | changed


def _clean_parts(parts: list[Any], role: Any, lost: dict[str, None]) -> list[Any] | str:
    """Return *parts* without cache hints and without an assistant's reasoning and citations."""
    if role == "assistant" and (echoed := [part["type"] for part in parts if _is_echoed(part)]):
        lost.update((f"messages.{kind}", None) for kind in echoed)
        parts = [part for part in parts if not _is_echoed(part)]
        if not parts:
            return ""  # an empty array is refused
    return _without_cache_hints(parts)


def _is_echoed(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in ECHOED_TYPES


def _clean_tools(tools: list[Any], lost: dict[str, None]) -> list[Any]:
    return [_clean_tool(tool, lost) for tool in _without_cache_hints(tools)]


def _clean_tool(tool: Any, lost: dict[str, None]) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or CACHE_HINT not in function:
        return tool
    return {**tool, "function": _without(function, (CACHE_HINT,), "tools", lost)}


def _without(item: Fields, keys: Collection[str], field: str, lost: dict[str, None]) -> Fields:
    """Return *item* without *keys*; those that had a value are added to *lost* as keys of *field*."""
    for key in item:
        if key in keys and key not in WITHOUT_EFFECT and item[key]:
            lost[f"{field}.{key}"] = None
    return cast(Fields, {key: value for key, value in item.items() if key not in keys})


def _without_cache_hints(items: list[Any]) -> list[Any]:
    """Return *items*, parts or tools, without `cache_control`, which is named as a field of the request."""
    return [
        {key: value for key, value in item.items() if key != CACHE_HINT}
        if isinstance(item, dict) and CACHE_HINT in item
        else item
        for item in items
    ]

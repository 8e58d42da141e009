"""Check the content of fields for features that the name of the field does not show."""

from __future__ import annotations

from typing import Any

from app.translation.requests.input_to_messages import fits_chat
from app.translation.requests.parts import as_list, beyond_text, fits_input_part, fits_output_part
from app.translation.requests.tools import WEB_SEARCH_TYPES

Body = dict[str, Any]

ITEM_REFERENCE = "item_reference"


def needs_chat(messages: Any) -> bool:
    """Return whether chat *messages* have content that Responses cannot express."""
    others = beyond_text(as_list(messages))
    return any(isinstance(message, dict) and not _fits_responses(message) for message in others)


def _fits_responses(message: Body) -> bool:
    if message.get("audio") is not None:
        return False
    content = message.get("content")
    if not isinstance(content, list):
        return True
    fits = {"user": fits_input_part, "assistant": fits_output_part}.get(str(message.get("role")))
    if fits is None:
        shown = [part for part in content if isinstance(part, dict) and part.get("type") == "file"]
        return all(map(fits_input_part, shown))
    return all(map(fits, content))


def needs_responses(items: Any) -> bool:
    """Return whether *items* have content that chat cannot express, such as references to stored data."""
    return any(isinstance(item, dict) and not fits_chat(item) for item in as_list(items))


def first_reference(items: Any) -> tuple[int, str] | None:
    """
    Return the index and id of the first item that only refers to a stored item.

    Its `type` may be absent, as may that of a message, which has a role.
    Source: https://platform.openai.com/docs/api-reference/responses/create (input, item reference)
    """
    for index, item in enumerate(as_list(items)):
        if not isinstance(item, dict):
            continue
        kind = item.get("type")
        if kind == ITEM_REFERENCE or (kind is None and "role" not in item and "id" in item):
            item_id = item.get("id")
            return index, item_id if isinstance(item_id, str) else ""
    return None


def has_web_search(body: Body) -> bool:
    """Return whether a chat request has a web search tool, which only Responses supports."""
    tools = as_list(body.get("tools"))
    return any(isinstance(tool, dict) and tool.get("type") in WEB_SEARCH_TYPES for tool in tools)


def has_cache_hint(messages: list[Any], tools: Any) -> bool:
    """Return whether a part of *messages* or one of *tools* has Anthropic's `cache_control`."""
    parts = [part for message in messages for part in as_list(message.get("content"))]
    return any(isinstance(item, dict) and "cache_control" in item for item in parts + as_list(tools))

"""Checks of a field's content: features that the name of the field does not show."""

from __future__ import annotations

from typing import Any

from app.translation.requests.parts import as_list
from app.translation.requests.tools import WEB_SEARCH_TYPES

Body = dict[str, Any]

TRANSLATABLE_TOOLS = ("function", "custom", "namespace")
ITEM_REFERENCE = "item_reference"
REFERENCES = (ITEM_REFERENCE, "compaction", "compaction_trigger")


def has_audio(messages: Any) -> bool:
    """Return whether chat *messages* refer to an audio answer."""
    return any(isinstance(item, dict) and item.get("audio") is not None for item in as_list(messages))


def has_hosted_tools(tools: Any) -> bool:
    """Return whether Responses *tools* include a tool that the upstream runs."""
    return any(
        isinstance(tool, dict) and tool.get("type", "function") not in TRANSLATABLE_TOOLS
        for tool in as_list(tools)
    )


def has_references(items: Any) -> bool:
    """Return whether *items* refer to data stored at the Responses API."""
    return any(
        isinstance(item, dict) and (item.get("type") in REFERENCES or _shows_stored_file(item))
        for item in as_list(items)
    )


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


def _shows_stored_file(item: Body) -> bool:
    return any(isinstance(part, dict) and part.get("file_id") for part in as_list(item.get("content")))


def has_web_search(body: Body) -> bool:
    """Return whether a chat request has a web search tool, which only Responses supports."""
    tools = as_list(body.get("tools"))
    return any(isinstance(tool, dict) and tool.get("type") in WEB_SEARCH_TYPES for tool in tools)


def has_cache_hint(body: Body) -> bool:
    """Return whether a part or a tool of a chat request has Anthropic's `cache_control`."""
    parts = [part for item in as_list(body.get("messages")) for part in as_list(item.get("content"))]
    return any(
        isinstance(item, dict) and "cache_control" in item for item in parts + as_list(body.get("tools"))
    )

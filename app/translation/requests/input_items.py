"""The input of a Responses request as items."""

from __future__ import annotations

from typing import Any

from app.errors import InvalidRequest
from app.translation.requests.parts import as_list

TOOL_LISTS = ("additional_tools", "tool_search_output")  # their tools are added to the request's


def added_tools(items: list[Any]) -> list[Any]:
    """Return the tools that items of the input add to those of the request."""
    return [
        tool
        for item in items
        if isinstance(item, dict) and item.get("type") in TOOL_LISTS
        for tool in as_list(item.get("tools"))
    ]


def input_items(value: Any) -> list[Any]:
    """Return a request's `input` as items; a string becomes a user message."""
    if isinstance(value, str):
        return [{"role": "user", "content": [{"type": "input_text", "text": value}]}]
    if not isinstance(value, list):
        raise InvalidRequest("'input' must be a string or an array", param="input")
    return value

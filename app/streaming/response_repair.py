"""
Rewrite output items of a response that deviate from the API, for every consumer of the response.

Arguments of a call that are an object become its JSON, as a text. What is as documented is
returned as it is, not copied.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from typing import Any

import orjson

Payload = dict[str, Any]

# The key of the text that a call gives to its tool, by the type of the item.
PAYLOAD_KEYS = {"function_call": "arguments", "mcp_call": "arguments", "custom_tool_call": "input"}


def repaired_item(item: Payload) -> Payload:
    """Return *item* as documented."""
    kind = item.get("type")
    key = PAYLOAD_KEYS.get(kind) if type(kind) is str else None
    if key is not None and type(payload := item.get(key)) in (dict, list):
        return {**item, key: json_text(payload)}
    return item


def repaired_output(output: list[Any]) -> list[Any]:
    """Return the *output* of a response with every item as documented."""
    items = [repaired_item(item) if type(item) is dict else item for item in output]
    is_changed = any(map(_differ, items, output))
    return items if is_changed else output


def json_text(value: Any) -> str:
    """Return the JSON of *value*, the arguments of a call."""
    return orjson.dumps(value).decode()


def _differ(item: Any, given: Any) -> bool:
    return item is not given

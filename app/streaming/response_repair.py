"""
Rewrite output items of a response that deviate from the API, for every consumer of the response.

Arguments that are an object are replaced by their JSON text. Content of a message that is a text becomes a
list of one part, and absent content an empty list. A function call whose arguments end inside their JSON was
cut, so it is marked incomplete. Two calls with the same id get different ids. A regular item is returned
without a copy.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from types import NoneType
from typing import Any

import orjson

from app.streaming.tool_arguments import is_cut

Payload = dict[str, Any]

# The key of the payload that a call passes to its tool, by the type of the item.
PAYLOAD_KEYS = {"function_call": "arguments", "mcp_call": "arguments", "custom_tool_call": "input"}
_CLIENT_CALLS = ("function_call", "custom_tool_call")  # calls of tools that the client runs
INCOMPLETE = "incomplete"
# Fields of a response that was cut
CUT: Payload = {"status": INCOMPLETE, "incomplete_details": {"reason": "max_output_tokens"}}


def repaired_item(item: Payload) -> Payload:
    """Return the finished *item* in its documented form."""
    item = with_content(item)
    if item.get("status") != INCOMPLETE and has_cut_arguments(item):
        return {**item, "status": INCOMPLETE}
    return item


def with_content(item: Payload) -> Payload:
    """Return *item* so that a message has a list of parts, and a call has its payload as text."""
    kind = item.get("type")
    if type(kind) is not str:
        return item
    if kind == "message":
        content = item.get("content")
        if type(content) is list and all(type(part) is dict for part in content):
            return item
        return {**item, "content": _parts_of(content)}
    key = PAYLOAD_KEYS.get(kind)
    if key is not None and type(payload := item.get(key)) not in (str, NoneType):
        return {**item, key: json_text(payload)}
    return item


def _parts_of(content: Any) -> list[Payload]:
    """Return *content* of a message, which is not a list of parts, as such a list."""
    if type(content) is str and content:
        return [{"type": "output_text", "text": content, "annotations": []}]
    return [part for part in content if type(part) is dict] if type(content) is list else []


def repaired_output(output: list[Any]) -> list[Any]:
    """Return the *output* of a response with every item in its documented form, without other values."""
    items = [repaired_item(item) for item in output if type(item) is dict and type(item.get("type")) is str]
    if len(items) > 1:
        _separate_calls(items)
    is_changed = len(items) != len(output) or any(map(_differ, items, output))
    return items if is_changed else output


def _separate_calls(items: list[Payload]) -> None:
    """Give a call that has the `call_id` of an earlier one the id of its item instead."""
    owners: dict[str, Any] = {}
    for position, item in enumerate(items):
        call_id, item_id = item.get("call_id"), item.get("id")
        if item["type"] not in _CLIENT_CALLS or type(call_id) is not str or type(item_id) is not str:
            continue
        if owners.setdefault(call_id, item_id) != item_id:
            items[position] = {**item, "call_id": item_id}


def lacks_payload(item: Any) -> bool:
    """Return whether *item* is a call of a client's tool that has no payload as text."""
    if type(item) is not dict or item.get("type") not in _CLIENT_CALLS:
        return False
    return type(item.get(PAYLOAD_KEYS[item["type"]])) is not str


def has_no_payload(item: Any) -> bool:
    """Return whether *item* is a call of a client's tool whose payload is absent, no text or empty."""
    return (
        type(item) is dict
        and item.get("type") in _CLIENT_CALLS
        and (not item.get(PAYLOAD_KEYS[item["type"]]) or lacks_payload(item))
    )


def with_payload(item: Payload, text: str = "") -> Payload:
    """Return *item*, a call without a payload, with *text* as its payload; "" becomes empty arguments."""
    key = PAYLOAD_KEYS[item["type"]]
    return {**item, key: text or ("{}" if key == "arguments" else "")}


def has_cut_arguments(item: Payload) -> bool:
    """Return whether *item* is a function call whose arguments end inside their JSON."""
    return item.get("type") == "function_call" and is_cut(item.get("arguments"))


def json_text(value: Any) -> str:
    """Return the JSON of *value*, the arguments of a call."""
    return orjson.dumps(value).decode()


def _differ(item: Any, given: Any) -> bool:
    return item is not given

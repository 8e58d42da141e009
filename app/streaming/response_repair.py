"""
Rewrite output items of a response that deviate from the API, for every consumer of the response.

Arguments of a call that are an object become its JSON, as a text. A function call whose arguments end
inside their JSON was cut: it is incomplete. What is as documented is
returned as it is, not copied.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

import re
from typing import Any

import orjson

Payload = dict[str, Any]

# The key of the text that a call gives to its tool, by the type of the item.
PAYLOAD_KEYS = {"function_call": "arguments", "mcp_call": "arguments", "custom_tool_call": "input"}
INCOMPLETE = "incomplete"
CUT: Payload = {"status": INCOMPLETE, "incomplete_details": {"reason": "max_output_tokens"}}  # of a response
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def repaired_item(item: Payload) -> Payload:
    """Return *item*, which is finished, as documented."""
    item = with_text_payload(item)
    if item.get("status") != INCOMPLETE and has_cut_arguments(item):
        return {**item, "status": INCOMPLETE}
    return item


def with_text_payload(item: Payload) -> Payload:
    """Return *item*, of which a call has a text for its tool."""
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


def has_cut_arguments(item: Payload) -> bool:
    """Return whether *item* is a function call whose arguments end inside their JSON."""
    return item.get("type") == "function_call" and is_cut(item.get("arguments"))


def is_cut(arguments: Any) -> bool:
    """Return whether *arguments* end inside their JSON; an empty text stands for no arguments."""
    if type(arguments) is not str or not arguments or arguments.isspace():
        return False
    try:
        orjson.loads(arguments)
    except orjson.JSONDecodeError:
        rest = _STRING.sub("", arguments)
        begun, ended = (sum(map(rest.count, brackets)) for brackets in ("{[", "}]"))
        return '"' in rest or begun > ended
    return False


def json_text(value: Any) -> str:
    """Return the JSON of *value*, the arguments of a call."""
    return orjson.dumps(value).decode()


def _differ(item: Any, given: Any) -> bool:
    return item is not given

"""What the chat servers share: their rules for conversations, and the frames of a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.support.strict.session import TITLE, Json, Turn, position, turn

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
ID_LENGTH = 64
UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
    " 'tool_call_id'. The following tool_call_ids did not have response messages: "
)
UNCALLED = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'"


def next_turn(body: Json, steps: list[Json], call_id: str) -> Turn:
    """Return the turn that answers *body*; *call_id* is a pattern that includes the step and the position."""
    if not body.get("tools"):
        return Turn(TITLE)
    messages = body["messages"]
    outputs = sum(message["role"] == "tool" for message in messages)
    number = position(steps, outputs, (text_of(each) for each in assistants(messages)))
    return turn(steps[number], number, tools_of(body), call_id)


def assistants(messages: list[Json]) -> Iterator[Json]:
    return (message for message in messages if message["role"] == "assistant")


def text_of(message: Json) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def tools_of(body: Json) -> Json:
    return {
        tool["function"]["name"]: tool["function"].get("parameters", {}).get("properties", {})
        for tool in body.get("tools", ())
    }


def order_fault(messages: list[Json]) -> str | None:
    """Return what is wrong with the order of calls and results: each result directly follows its call."""
    open_calls: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                return UNCALLED
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return UNANSWERED + ", ".join(open_calls)
        open_calls = [call["id"] for call in message.get("tool_calls") or ()]
    return UNANSWERED + ", ".join(open_calls) if open_calls else None


def shape_fault(body: Json) -> str | None:
    """Return what is wrong with the names, ids and types of tools and calls."""
    calls = [call for each in assistants(body["messages"]) for call in each.get("tool_calls") or ()]
    for called in [*body.get("tools", ()), *calls]:
        if called.get("type") != "function":
            return f"Invalid type {called.get('type')!r}: only 'function' is supported"
        if not NAME.fullmatch(called["function"]["name"]):
            return f"Invalid function name {called['function']['name']!r}"
    for call in calls:
        if not 0 < len(call["id"]) <= ID_LENGTH:
            return f"Invalid tool call id {call['id']!r}"
        try:
            if not isinstance(json.loads(call["function"]["arguments"]), dict):
                raise ValueError
        except ValueError:
            return f"Invalid arguments {call['function']['arguments']!r}"
    return None


def frame(value: Any) -> str:
    return value if isinstance(value, str) else f"data: {json.dumps(value)}\n\n"


def chunk(delta: Json, finish: str | None = None, /, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]} | more


DONE = "data: [DONE]\n\n"

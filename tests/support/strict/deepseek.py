"""
DeepSeek (R, T 2025 to 2026): thinks before each turn, and wants its thoughts back with each tool call.

Refused with the words of its deserialiser: the role `developer`, images, and lists instead of strings.
Unknown fields pass. Errors are labelled as octet streams.
"""

from __future__ import annotations

from typing import Any

from tests.support.strict.chat import DONE, chunk, next_turn, order_fault, shape_fault
from tests.support.strict.session import Json, Refused

CALL_ID = "call_{at:02}_step{step}x"
MISSING = "The `reasoning_content` in the thinking mode must be passed back to the API."
ROLES = ("system", "user", "assistant", "tool", "latest_reminder")
USAGE = {
    "prompt_tokens": 18,
    "completion_tokens": 21,
    "total_tokens": 39,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 9},
    "prompt_cache_hit_tokens": 0,
    "prompt_cache_miss_tokens": 18,
}


def check(body: Json, steps: list[Json]) -> None:
    for at, message in enumerate(body["messages"]):
        if message["role"] not in ROLES:
            _refuse(f"messages[{at}].role: unknown variant `{message['role']}`, expected one of {ROLES}")
        if not isinstance(message.get("content"), list):
            continue
        if message["role"] != "user":
            _refuse(f"messages[{at}]: invalid type: sequence, expected a string")
        for part in message["content"]:
            if part["type"] != "text":
                _refuse(f"messages[{at}]: unknown variant `{part['type']}`, expected `text`")
    fault = shape_fault(body) or order_fault(body["messages"]) or _thought_fault(body["messages"], steps)
    if fault:
        _refuse(fault)


def _thought_fault(messages: list[Json], steps: list[Json]) -> str | None:
    """
    Return the fault in thoughts: one may be empty, but it may be neither absent nor that of another turn.
    """
    thoughts = {
        CALL_ID.format(step=number, at=at): step["thought"]
        for number, step in enumerate(steps)
        for at, _ in enumerate(step.get("calls", ()))
    }
    for at, message in enumerate(messages):
        calls = message.get("tool_calls") or ()
        if calls and "reasoning_content" not in message:
            return MISSING
        for call in calls:
            if message["reasoning_content"] not in ("", thoughts.get(call["id"])):
                return f"messages[{at}]: `reasoning_content` is not that of this tool call"
    if any("reasoning_content" in message for message in messages if message["role"] != "assistant"):
        return "`reasoning_content` is only valid in assistant messages"
    return None


def response(body: Json, steps: list[Json]) -> list[Any]:
    turn = next_turn(body, steps, CALL_ID)
    frames: list[Any] = [": keep-alive\n\n", _texts("", None, role="assistant"), _texts(turn.thought, None)]
    if turn.text:
        frames.append(_texts(None, turn.text))
    for at, call in enumerate(turn.calls):
        opened = {"index": at, "id": call.id, "type": "function"}
        pieces = [
            {**opened, "function": {"name": call.name, "arguments": ""}},
            {"index": at, "function": {"arguments": call.text}},
        ]
        frames += [chunk({"tool_calls": [piece]}, id="u-1", usage=None) for piece in pieces]
    last = {"content": "", "reasoning_content": None}
    frames.append(chunk(last, "tool_calls" if turn.calls else "stop", id="u-1", usage=USAGE))
    return [*frames, DONE]


def _texts(thought: str | None, text: str | None, **more: str) -> Json:
    return chunk({**more, "content": text, "reasoning_content": thought}, id="u-1", usage=None)


def _refuse(message: str) -> None:
    error = {"message": message, "type": "invalid_request_error", "param": None}
    body = {"error": {**error, "code": "invalid_request_error"}}
    raise Refused(body, content_type="application/octet-stream")

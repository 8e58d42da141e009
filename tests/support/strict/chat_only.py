"""
A server that knows chat's older fields alone, and refuses all others by name, also in messages and calls.

Streams as OpenAI does, without reasoning. As Groq and Cerebras word it (T 2026): a field of another server
works in no turn, one of the response that a client returns fails in the second.
"""

from __future__ import annotations

from typing import Any

from tests.support.strict.chat import DONE, chunk, next_turn, order_fault, shape_fault
from tests.support.strict.session import Json, Refused

FIELDS = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "max_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "reasoning_effort",
    "seed",
    "user",
}
MESSAGE_FIELDS = {
    "system": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "tool_calls"},
    "tool": {"role", "content", "tool_call_id"},
}
CALL_FIELDS = {"id", "type", "function"}
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}


def check(body: Json, steps: list[Json]) -> None:
    for name in body.keys() - FIELDS:
        _refuse(f"property '{name}' is unsupported", name)
    for at, message in enumerate(body["messages"]):
        known = MESSAGE_FIELDS.get(message["role"])
        if known is None:
            _refuse(f"unknown role '{message['role']}' in 'messages.{at}'", "messages")
        for name in message.keys() - known:
            _refuse(f"property 'messages.{at}.{name}' is unsupported", "messages")
        for call in message.get("tool_calls", ()):
            for name in call.keys() - CALL_FIELDS:
                _refuse(f"property 'messages.{at}.tool_calls.{name}' is unsupported", "messages")
    fault = shape_fault(body) or order_fault(body["messages"])
    if fault:
        _refuse(fault, "messages")


def response(body: Json, steps: list[Json]) -> list[Any]:
    turn = next_turn(body, steps, "call_{step}{at}abcdefghijklmnopqrstuv")
    frames: list[Any] = [chunk({"role": "assistant", "content": ""}, id="chatcmpl-1")]
    if turn.text:
        frames.append(chunk({"content": turn.text}, id="chatcmpl-1"))
    for at, call in enumerate(turn.calls):
        opened = {"index": at, "id": call.id, "type": "function"}
        half = len(call.text) // 2
        pieces = [
            {**opened, "function": {"name": call.name, "arguments": ""}},
            {"index": at, "function": {"arguments": call.text[:half]}},
            {"index": at, "function": {"arguments": call.text[half:]}},
        ]
        frames += [chunk({"tool_calls": [piece]}, id="chatcmpl-1") for piece in pieces]
    frames.append(chunk({}, "tool_calls" if turn.calls else "stop", id="chatcmpl-1"))
    if (body.get("stream_options") or {}).get("include_usage"):
        frames.append({**chunk({}, id="chatcmpl-1"), "choices": [], "usage": USAGE})
    return [*frames, DONE]


def _refuse(message: str, param: str) -> None:
    raise Refused({"error": {"message": message, "type": "invalid_request_error", "param": param}})

"""
An answer as Chat Completions tells it: one object, or chunks.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from app.demo.responder import Answer, Usage

Json = dict[str, Any]
NewId = Callable[[str], str]  # a prefix -> an id that was never used


def completion(said: Answer, *, model: str, created_at: int, new_id: NewId, choices: int = 1) -> Json:
    """Return the `chat.completion` object."""
    return {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": created_at,
        "model": model,
        "choices": [
            {
                "index": index,
                "message": _message(said, new_id),
                "logprobs": None,
                "finish_reason": finish_reason(said),
            }
            for index in range(choices)
        ],
        "usage": usage(said.usage),
    }


def chunks(
    said: Answer,
    *,
    model: str,
    created_at: int,
    new_id: NewId,
    choices: int = 1,
    include_usage: bool = False,
) -> Iterator[Json]:
    """Yield the `chat.completion.chunk` objects in order; `[DONE]` is the caller's."""
    same: Json = {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": created_at,
        "model": model,
        **({"usage": None} if include_usage else {}),
    }
    for index in range(choices):
        for delta in _deltas(said, new_id):
            yield {**same, "choices": [_choice(index, delta, None)]}
        yield {**same, "choices": [_choice(index, {}, finish_reason(said))]}
    if include_usage:
        yield {**same, "choices": [], "usage": usage(said.usage)}


def usage(used: Usage) -> Json:
    return {
        "prompt_tokens": used.input_tokens,
        "completion_tokens": used.output_tokens,
        "total_tokens": used.input_tokens + used.output_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": used.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def finish_reason(said: Answer) -> str:
    if said.cut:
        return "length"
    return "tool_calls" if said.calls else "stop"


def _message(said: Answer, new_id: NewId) -> Json:
    silent = said.calls or said.refusal
    message: Json = {
        "role": "assistant",
        "content": None if silent and not said.text else "".join(said.text),
        "refusal": "".join(said.refusal) or None,
    }
    if said.calls:
        message["tool_calls"] = [
            {
                "id": new_id("call_"),
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.arguments)},
            }
            for call in said.calls
        ]
    return message


def _deltas(said: Answer, new_id: NewId) -> Iterator[Json]:
    silent = said.calls or said.refusal
    yield {"role": "assistant", "content": None if silent and not said.text else ""}
    for piece in said.text:
        yield {"content": piece}
    for piece in said.refusal:
        yield {"refusal": piece}
    for index, call in enumerate(said.calls):
        opened = {"index": index, "id": new_id("call_"), "type": "function"}
        yield {"tool_calls": [{**opened, "function": {"name": call.name, "arguments": ""}}]}
        for piece in call.arguments:
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _choice(index: int, delta: Json, finish: str | None) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}

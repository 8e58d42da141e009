"""
Format a response for Chat Completions: one object, or chunks.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.demo.responder import DemoResponse, Usage
from app.openai_types.chat import (
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatDelta,
    ChatMessage,
    ChatToolCall,
    ChatUsage,
)

NewId = Callable[[str], str]  # returns a unique id for a prefix


def completion(
    demo_response: DemoResponse, *, model: str, created_at: int, new_id: NewId, choices: int = 1
) -> ChatCompletion:
    """Return the `chat.completion` object."""
    return {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": created_at,
        "model": model,
        "choices": [
            {
                "index": index,
                "message": _message(demo_response, new_id),
                "logprobs": None,
                "finish_reason": finish_reason(demo_response),
            }
            for index in range(choices)
        ],
        "usage": usage(demo_response.usage),
    }


def chunks(
    demo_response: DemoResponse,
    *,
    model: str,
    created_at: int,
    new_id: NewId,
    choices: int = 1,
    include_usage: bool = False,
) -> Iterator[ChatChunk]:
    """Yield the `chat.completion.chunk` objects in order, without `[DONE]`."""
    frame: ChatChunk = {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": created_at,
        "model": model,
    }
    if include_usage:
        frame["usage"] = None
    for index in range(choices):
        for delta in _deltas(demo_response, new_id):
            yield {**frame, "choices": [_choice(index, delta, None)]}
        yield {**frame, "choices": [_choice(index, {}, finish_reason(demo_response))]}
    if include_usage:
        yield {**frame, "choices": [], "usage": usage(demo_response.usage)}


def usage(used: Usage) -> ChatUsage:
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


def finish_reason(demo_response: DemoResponse) -> str:
    if demo_response.cut:
        return "length"
    return "tool_calls" if demo_response.calls else "stop"


def _message(demo_response: DemoResponse, new_id: NewId) -> ChatMessage:
    has_no_text = demo_response.calls or demo_response.refusal
    message: ChatMessage = {
        "role": "assistant",
        "content": None if has_no_text and not demo_response.text else "".join(demo_response.text),
        "refusal": "".join(demo_response.refusal) or None,
    }
    if demo_response.calls:
        message["tool_calls"] = [
            {
                "id": new_id("call_"),
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.arguments)},
            }
            for call in demo_response.calls
        ]
    return message


def _deltas(demo_response: DemoResponse, new_id: NewId) -> Iterator[ChatDelta]:
    has_no_text = demo_response.calls or demo_response.refusal
    yield {"role": "assistant", "content": None if has_no_text and not demo_response.text else ""}
    for piece in demo_response.text:
        yield {"content": piece}
    for piece in demo_response.refusal:
        yield {"refusal": piece}
    for index, call in enumerate(demo_response.calls):
        call_head: ChatToolCall = {"index": index, "id": new_id("call_"), "type": "function"}
        yield {"tool_calls": [{**call_head, "function": {"name": call.name, "arguments": ""}}]}
        for piece in call.arguments:
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _choice(index: int, delta: ChatDelta, finish: str | None) -> ChatChoice:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}

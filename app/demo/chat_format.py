"""
Format a response for Chat Completions: one object, or chunks.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.demo.responder import Answer, Usage
from app.openai_types.chat import (
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatDelta,
    ChatMessage,
    ChatToolCall,
    ChatUsage,
)

NewId = Callable[[str], str]  # prefix -> unique id


def completion(
    answer: Answer, *, model: str, created_at: int, new_id: NewId, choices: int = 1
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
                "message": _message(answer, new_id),
                "logprobs": None,
                "finish_reason": finish_reason(answer),
            }
            for index in range(choices)
        ],
        "usage": usage(answer.usage),
    }


def chunks(
    answer: Answer,
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
        for delta in _deltas(answer, new_id):
            yield {**frame, "choices": [_choice(index, delta, None)]}
        yield {**frame, "choices": [_choice(index, {}, finish_reason(answer))]}
    if include_usage:
        yield {**frame, "choices": [], "usage": usage(answer.usage)}


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


def finish_reason(answer: Answer) -> str:
    if answer.cut:
        return "length"
    return "tool_calls" if answer.calls else "stop"


def _message(answer: Answer, new_id: NewId) -> ChatMessage:
    has_no_text = answer.calls or answer.refusal
    message: ChatMessage = {
        "role": "assistant",
        "content": None if has_no_text and not answer.text else "".join(answer.text),
        "refusal": "".join(answer.refusal) or None,
    }
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": new_id("call_"),
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.arguments)},
            }
            for call in answer.calls
        ]
    return message


def _deltas(answer: Answer, new_id: NewId) -> Iterator[ChatDelta]:
    has_no_text = answer.calls or answer.refusal
    yield {"role": "assistant", "content": None if has_no_text and not answer.text else ""}
    for piece in answer.text:
        yield {"content": piece}
    for piece in answer.refusal:
        yield {"refusal": piece}
    for index, call in enumerate(answer.calls):
        call_head: ChatToolCall = {"index": index, "id": new_id("call_"), "type": "function"}
        yield {"tool_calls": [{**call_head, "function": {"name": call.name, "arguments": ""}}]}
        for piece in call.arguments:
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _choice(index: int, delta: ChatDelta, finish: str | None) -> ChatChoice:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}

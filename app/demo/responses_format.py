"""
Format a response for Responses: events, of which the last has the complete response.

The order is created, in_progress; then for each item added, its parts and deltas, done; then completed or
incomplete. The SDKs' helpers fail on a delta of a part that was not announced.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any, TypeAlias, cast

from app.demo.chat_format import NewId
from app.demo.responder import Call, DemoResponse, Pieces, Usage
from app.openai_types.responses import (
    ContentPart,
    IncompleteDetails,
    ResponseObject,
    ResponsesEvent,
    ResponsesItem,
    ResponsesUsage,
)

Json = dict[str, Any]
Events: TypeAlias = "Generator[ResponsesEvent, None, ResponsesItem]"  # returns the finished item

# Settings that a response repeats, with their defaults.
ECHOED: Json = {
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}

FUNCTION: Json = {"description": None, "parameters": None, "strict": True}  # fields that a tool always has


def initial_response(body: Json, *, model: str, created_at: int, new_id: NewId) -> ResponseObject:
    """Return the response object at the start."""
    echoed = {key: default if body.get(key) is None else body[key] for key, default in ECHOED.items()}
    for key in ("reasoning", "text"):
        echoed[key] = {**ECHOED[key], **echoed[key]}
    echoed["tools"] = [
        {**FUNCTION, **tool} if tool.get("type") == "function" else tool for tool in echoed["tools"]
    ]
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": created_at,
        "completed_at": None,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "store": False,
        "usage": None,
        **cast("ResponseObject", echoed),
    }


def events(
    response: ResponseObject, demo_response: DemoResponse, *, new_id: NewId
) -> Iterator[ResponsesEvent]:
    """Yield every event of a response, numbered from 0; *response* is from `initial_response`."""
    for number, event in enumerate(_events(response, demo_response, new_id)):
        event["sequence_number"] = number
        yield event


def usage(used: Usage) -> ResponsesUsage:
    return {
        "input_tokens": used.input_tokens,
        "input_tokens_details": {"cached_tokens": used.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
        "total_tokens": used.input_tokens + used.output_tokens,
    }


def _events(response: ResponseObject, demo_response: DemoResponse, new_id: NewId) -> Iterator[ResponsesEvent]:
    yield {"type": "response.created", "response": response}
    yield {"type": "response.in_progress", "response": response}
    planned = _plan(demo_response)
    output: list[ResponsesItem] = []
    for make in planned:
        status = "incomplete" if demo_response.cut and len(output) == len(planned) - 1 else "completed"
        output.append((yield from make(len(output), status, new_id)))
    status = "incomplete" if demo_response.cut else "completed"
    details: IncompleteDetails | None = {"reason": "max_output_tokens"} if demo_response.cut else None
    final: ResponseObject = {
        "status": status,
        "incomplete_details": details,
        "output": output,
        "usage": usage(demo_response.usage),
        "completed_at": None if demo_response.cut else response["created_at"],
    }
    yield {"type": f"response.{status}", "response": {**response, **final}}


def _plan(demo_response: DemoResponse) -> list[Callable[[int, str, NewId], Events]]:
    """Return builders of the items, in order; each takes its output_index and final status."""
    has_message = (
        demo_response.text or demo_response.refusal or not (demo_response.calls or demo_response.cut)
    )
    return [
        *([partial(_reasoning, demo_response.reasoning)] if demo_response.reasoning else []),
        *([partial(_message, demo_response)] if has_message else []),
        *(partial(_call, call) for call in demo_response.calls),
    ]


def _reasoning(pieces: Pieces, output_index: int, status: str, new_id: NewId) -> Events:
    item: ResponsesItem = {"id": new_id("rs_"), "type": "reasoning", "summary": []}
    yield _item("added", output_index, {**item, "status": "in_progress"})
    position: ResponsesEvent = {"item_id": item["id"], "output_index": output_index, "summary_index": 0}
    name = "response.reasoning_summary"
    yield {"type": f"{name}_part.added", **position, "part": {"type": "summary_text", "text": ""}}
    for piece in pieces:
        yield {"type": f"{name}_text.delta", **position, "delta": piece}
    part: ContentPart = {"type": "summary_text", "text": "".join(pieces)}
    yield {"type": f"{name}_text.done", **position, "text": part["text"]}
    yield {"type": f"{name}_part.done", **position, "part": part}
    done: ResponsesItem = {
        **item,
        "status": status,
        "summary": [part],
        "encrypted_content": "cG9vbGdhdGUtZGVtbw==",
    }
    yield _item("done", output_index, done)
    return done


def _message(demo_response: DemoResponse, output_index: int, status: str, new_id: NewId) -> Events:
    item: ResponsesItem = {"id": new_id("msg_"), "type": "message", "role": "assistant", "content": []}
    yield _item("added", output_index, {**item, "status": "in_progress"})
    parts: list[ContentPart] = []
    if demo_response.text or not demo_response.refusal:
        position: ResponsesEvent = {
            "item_id": item["id"],
            "output_index": output_index,
            "content_index": len(parts),
        }
        parts.append((yield from _part("output_text", "text", demo_response.text, position)))
    if demo_response.refusal:
        position = {"item_id": item["id"], "output_index": output_index, "content_index": len(parts)}
        parts.append((yield from _part("refusal", "refusal", demo_response.refusal, position)))
    done: ResponsesItem = {**item, "status": status, "content": parts}
    yield _item("done", output_index, done)
    return done


def _part(
    kind: str, field: str, produced: Pieces, position: ResponsesEvent
) -> Generator[ResponsesEvent, None, ContentPart]:
    more: ContentPart = {"annotations": [], "logprobs": []} if kind == "output_text" else {}
    logprobs: ResponsesEvent = {"logprobs": []} if kind == "output_text" else {}
    yield {
        "type": "response.content_part.added",
        **position,
        "part": cast("ContentPart", {"type": kind, field: "", **more}),
    }
    for piece in produced:
        yield {"type": f"response.{kind}.delta", **position, "delta": piece, **logprobs}
    text = "".join(produced)
    part = cast("ContentPart", {"type": kind, field: text, **more})
    yield cast("ResponsesEvent", {"type": f"response.{kind}.done", **position, field: text, **logprobs})
    yield {"type": "response.content_part.done", **position, "part": part}
    return part


def _call(call: Call, output_index: int, status: str, new_id: NewId) -> Events:
    item: ResponsesItem = {
        "id": new_id("fc_"),
        "type": "function_call",
        "call_id": new_id("call_"),
        "name": call.name,
        "arguments": "",
    }
    yield _item("added", output_index, {**item, "status": "in_progress"})
    position: ResponsesEvent = {"item_id": item["id"], "output_index": output_index}
    for piece in call.arguments:
        yield {"type": "response.function_call_arguments.delta", **position, "delta": piece}
    arguments = "".join(call.arguments)
    yield {
        "type": "response.function_call_arguments.done",
        **position,
        "name": call.name,
        "arguments": arguments,
    }
    done: ResponsesItem = {**item, "status": status, "arguments": arguments}
    yield _item("done", output_index, done)
    return done


def _item(step: str, output_index: int, item: ResponsesItem) -> ResponsesEvent:
    return {"type": f"response.output_item.{step}", "output_index": output_index, "item": item}

"""
An answer as Responses tells it: events, the last of which carries the whole response.

Order: created, in_progress, then per item: added, its parts and deltas, done; then one of
completed and incomplete. The SDKs' helpers fail on a delta whose part was not announced.
Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

from app.demo.responder import Answer, Call, Pieces, Usage

Json = dict[str, Any]
NewId = Callable[[str], str]
Events = Generator[Json, None, Json]  # yields events, returns the finished item

# Settings that a response repeats, with what they are when the request is silent.
ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "default",
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def opened(body: Json, *, model: str, created_at: int, new_id: NewId) -> Json:
    """Return the response as it is before anything was produced."""
    echoed = {key: default if body.get(key) is None else body[key] for key, default in ECHOED.items()}
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "store": False,
        "usage": None,
        **echoed,
    }


def events(response: Json, said: Answer, *, new_id: NewId) -> Iterator[Json]:
    """Yield every event of the answer to an `opened` *response*, numbered from 0."""
    for number, event in enumerate(_events(response, said, new_id)):
        event["sequence_number"] = number
        yield event


def usage(used: Usage) -> Json:
    return {
        "input_tokens": used.input_tokens,
        "input_tokens_details": {"cached_tokens": used.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
        "total_tokens": used.input_tokens + used.output_tokens,
    }


def _events(response: Json, said: Answer, new_id: NewId) -> Iterator[Json]:
    yield {"type": "response.created", "response": response}
    yield {"type": "response.in_progress", "response": response}
    planned = _plan(said)
    output: list[Json] = []
    for make in planned:
        status = "incomplete" if said.cut and len(output) == len(planned) - 1 else "completed"
        output.append((yield from make(len(output), status, new_id)))
    status = "incomplete" if said.cut else "completed"
    details = {"reason": "max_output_tokens"} if said.cut else None
    whole = {"status": status, "incomplete_details": details, "output": output, "usage": usage(said.usage)}
    yield {"type": f"response.{status}", "response": {**response, **whole}}


def _plan(said: Answer) -> list[Callable[[int, str, NewId], Events]]:
    """Return the items to be made, in order; each wants its output_index and final status."""
    speaks = said.text or said.refusal or not (said.calls or said.cut)
    return [
        *([partial(_reasoning, said.reasoning)] if said.reasoning else []),
        *([partial(_message, said)] if speaks else []),
        *(partial(_call, call) for call in said.calls),
    ]


def _reasoning(thought: Pieces, at: int, status: str, new_id: NewId) -> Events:
    item: Json = {"id": new_id("rs_"), "type": "reasoning", "summary": []}
    yield _item("added", at, {**item, "status": "in_progress"})
    place = {"item_id": item["id"], "output_index": at, "summary_index": 0}
    name = "response.reasoning_summary"
    yield {"type": f"{name}_part.added", **place, "part": {"type": "summary_text", "text": ""}}
    for piece in thought:
        yield {"type": f"{name}_text.delta", **place, "delta": piece}
    part = {"type": "summary_text", "text": "".join(thought)}
    yield {"type": f"{name}_text.done", **place, "text": part["text"]}
    yield {"type": f"{name}_part.done", **place, "part": part}
    done = {**item, "status": status, "summary": [part], "encrypted_content": "cG9vbGdhdGUtZGVtbw=="}
    yield _item("done", at, done)
    return done


def _message(said: Answer, at: int, status: str, new_id: NewId) -> Events:
    item: Json = {"id": new_id("msg_"), "type": "message", "role": "assistant", "content": []}
    yield _item("added", at, {**item, "status": "in_progress"})
    parts: list[Json] = []
    if said.text or not said.refusal:
        place = {"item_id": item["id"], "output_index": at, "content_index": len(parts)}
        parts.append((yield from _part("output_text", "text", said.text, place)))
    if said.refusal:
        place = {"item_id": item["id"], "output_index": at, "content_index": len(parts)}
        parts.append((yield from _part("refusal", "refusal", said.refusal, place)))
    done = {**item, "status": status, "content": parts}
    yield _item("done", at, done)
    return done


def _part(kind: str, field: str, produced: Pieces, place: Json) -> Events:
    more: Json = {"annotations": [], "logprobs": []} if kind == "output_text" else {}
    logprobs: Json = {"logprobs": []} if kind == "output_text" else {}
    yield {"type": "response.content_part.added", **place, "part": {"type": kind, field: "", **more}}
    for piece in produced:
        yield {"type": f"response.{kind}.delta", **place, "delta": piece, **logprobs}
    whole = "".join(produced)
    part = {"type": kind, field: whole, **more}
    yield {"type": f"response.{kind}.done", **place, field: whole, **logprobs}
    yield {"type": "response.content_part.done", **place, "part": part}
    return part


def _call(call: Call, at: int, status: str, new_id: NewId) -> Events:
    item: Json = {
        "id": new_id("fc_"),
        "type": "function_call",
        "call_id": new_id("call_"),
        "name": call.name,
        "arguments": "",
    }
    yield _item("added", at, {**item, "status": "in_progress"})
    place = {"item_id": item["id"], "output_index": at}
    for piece in call.arguments:
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    whole = "".join(call.arguments)
    yield {
        "type": "response.function_call_arguments.done",
        **place,
        "name": call.name,
        "arguments": whole,
    }
    done = {**item, "status": status, "arguments": whole}
    yield _item("done", at, done)
    return done


def _item(moment: str, at: int, item: Json) -> Json:
    return {"type": f"response.output_item.{moment}", "output_index": at, "item": item}

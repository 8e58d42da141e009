"""
Build events that an upstream omitted from the snapshot with the same content.

They have the sequence number of the event they precede: the upstream's numbers have no gap
for them. SDKs do not check it.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from app.openai_types.responses import ResponsesEvent, ResponsesItem
from app.streaming.events import Event
from app.translation.events.response_items import CALLS, PARTS, OpenCall, OpenMessage

Payload = dict[str, Any]

POSITION_KEYS = ("sequence_number", "item_id", "output_index", "content_index")


def build_created(response: Payload, first: Payload) -> Event:
    """Return the missing `response.created`; *first* is the event that came instead."""
    number = first.get("sequence_number")
    return Event(
        {
            "type": "response.created",
            "sequence_number": max(number - 1, 0) if isinstance(number, int) else 0,
            "response": {**response, "status": "in_progress", "output": [], "usage": None},
        }
    )


def build_delta(done: Payload) -> Event | None:
    """Return the delta with the text of a `done` event, None for an empty part."""
    prefix = done["type"].removesuffix(".done")
    text = done.get(PARTS[prefix.removeprefix("response.")][1])
    if not isinstance(text, str) or not text:
        return None
    position = {key: done[key] for key in POSITION_KEYS if key in done}
    return Event(
        {"type": prefix + ".delta", **position, "delta": text, "logprobs": done.get("logprobs") or []}
    )


def build_item_events(item: ResponsesItem, output_index: int, sequence_number: Any) -> list[Event]:
    """Return the events that should precede the `output_item.done` of *item*."""
    item_id = item.get("id") or f"item_{output_index}"
    payloads: list[ResponsesEvent]
    if item.get("type") == "message":
        head: ResponsesItem = {"type": "message", "role": "assistant"}
        payloads = _message_payloads(item, OpenMessage(item_id, output_index, head))
    elif item.get("type") in CALLS:
        payloads = _call_payloads(item, OpenCall(item_id, output_index, item))
    else:
        payloads = [{"type": "response.output_item.added", "output_index": output_index, "item": item}]
    return [Event({**payload, "sequence_number": sequence_number}) for payload in payloads]


def _message_payloads(item: ResponsesItem, message: OpenMessage) -> list[ResponsesEvent]:
    payloads = message.announce()
    parts: Any = item.get("content") or ()
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in PARTS and part.get(PARTS[kind][1]):
            payloads += message.add_text(kind, part[PARTS[kind][1]], part.get("logprobs") or [])
            payloads += message.end_part()
    return payloads + message.close("completed")[0][:-1]


def _call_payloads(item: ResponsesItem, call: OpenCall) -> list[ResponsesEvent]:
    written = item.get(CALLS[item["type"]][1])
    return call.announce() + (call.add_payload(written) if written else []) + call.close("completed")[0][:-1]

"""
Announce messages for which an upstream sends only deltas.

SDKs fail on a delta whose item and part were not announced.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from app.openai_types.responses import ResponsesEvent, ResponsesItem
from app.streaming.events import Event
from app.translation.events.response_items import PARTS, OpenMessage

Payload = dict[str, Any]

# Kind of text by type of event
KINDS = {f"response.{kind}.delta": kind for kind in ("output_text", "refusal")}


class ImplicitMessages:
    """Messages that the upstream did not announce, by output index."""

    def __init__(self) -> None:
        self._open: dict[int, OpenMessage] = {}  # open messages by output index

    def __contains__(self, index: int) -> bool:
        return index in self._open

    def __bool__(self) -> bool:
        return bool(self._open)

    def add_delta(self, index: int, delta: Payload) -> list[Event]:
        """Return the event *delta*, preceded by the missing announcements."""
        events: list[ResponsesEvent] = []
        if index not in self._open:
            item_id = delta.get("item_id") or f"msg_{index}"
            self._open[index] = OpenMessage(item_id, index, {"type": "message", "role": "assistant"})
            events = self._open[index].announce()
        message = self._open[index]
        part = delta.get("content_index")
        if type(part) is int and part > message.content_index:
            events += message.end_part()
        text, logprobs = delta.get("delta"), delta.get("logprobs")
        if isinstance(text, str):
            logprobs = logprobs if isinstance(logprobs, list) else []
            events += message.add_text(KINDS[delta["type"]], text, logprobs)
        return _with_sequence_number(events, delta)

    def end_part(self, index: int, done: Payload) -> list[Event]:
        """Return the events that end the part whose text is *done*: the next delta begins another."""
        return _with_sequence_number(self._open[index].end_part(), done)

    def close(self, index: int, before: Payload) -> tuple[list[Event], ResponsesItem]:
        """Return (the events that end the message, the message); they precede the event *before*."""
        incomplete = before.get("type") == "response.incomplete"
        events, item = self._open.pop(index).close("incomplete" if incomplete else "completed")
        return _with_sequence_number(events, before), item

    def indexes(self) -> list[int]:
        return sorted(self._open)


def build_part_added(delta: Payload) -> Event:
    """Return the event that announces the part of *delta*."""
    kind = KINDS[delta["type"]]
    part: Payload = {"type": kind, PARTS[kind][1]: ""}
    if kind == "output_text":
        part.update(annotations=[], logprobs=[])
    position: Payload = {
        key: delta[key] for key in ("sequence_number", "item_id", "output_index") if key in delta
    }
    index = delta.get("content_index", 0)
    return Event({"type": "response.content_part.added", **position, "content_index": index, "part": part})


def _with_sequence_number(events: list[ResponsesEvent], like: Payload) -> list[Event]:
    return [Event({**event, "sequence_number": like.get("sequence_number")}) for event in events]

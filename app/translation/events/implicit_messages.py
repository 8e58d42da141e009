"""
Messages of which an upstream tells the deltas alone, as strict clients want to be told of them.

SDKs add a delta to a part they were told of, of an item they were told of, and fail without.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from app.streaming.events import Event
from app.translation.events.response_items import PARTS, OpenMessage

Payload = dict[str, Any]

KINDS = {f"response.{kind}.delta": kind for kind in ("output_text", "refusal")}  # by type of event


class ImplicitMessages:
    def __init__(self) -> None:
        self._open: dict[int, OpenMessage] = {}  # by output index

    def __contains__(self, index: int) -> bool:
        return index in self._open

    def __bool__(self) -> bool:
        return bool(self._open)

    def add_delta(self, index: int, delta: Payload) -> list[Event]:
        """Return the event *delta* with what has to be told before it."""
        events = []
        if index not in self._open:
            item_id = delta.get("item_id") or f"msg_{index}"
            self._open[index] = OpenMessage(item_id, index, {"type": "message", "role": "assistant"})
            events = self._open[index].announce()
        text, logprobs = delta.get("delta"), delta.get("logprobs")
        if isinstance(text, str):
            logprobs = logprobs if isinstance(logprobs, list) else []
            events += self._open[index].add_text(KINDS[delta["type"]], text, logprobs)
        return _with_sequence_number(events, delta)

    def close(self, index: int, before: Payload) -> tuple[list[Event], Payload]:
        """Return (what ends the message, last that it is done; the message), to go out *before* an event."""
        incomplete = before.get("type") == "response.incomplete"
        events, item = self._open.pop(index).close("incomplete" if incomplete else "completed")
        return _with_sequence_number(events, before), item

    def indexes(self) -> list[int]:
        return sorted(self._open)


def build_part_added(delta: Payload) -> Event:
    """Return what tells of the part that *delta* begins."""
    kind = KINDS[delta["type"]]
    part: Payload = {"type": kind, PARTS[kind][1]: ""}
    if kind == "output_text":
        part.update(annotations=[], logprobs=[])
    position: Payload = {
        key: delta[key] for key in ("sequence_number", "item_id", "output_index") if key in delta
    }
    index = delta.get("content_index", 0)
    return Event({"type": "response.content_part.added", **position, "content_index": index, "part": part})


def _with_sequence_number(events: list[Payload], like: Payload) -> list[Event]:
    return [Event({**event, "sequence_number": like.get("sequence_number")}) for event in events]

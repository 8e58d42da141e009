"""
Build the output items of a response, with the events of each step.

An item is announced, its parts or its payload grow by deltas, and its last event repeats the
complete item. Events lack their `sequence_number`; the caller adds it.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

Payload = dict[str, Any]

# part type -> (prefix of its events, the key of its text)
PARTS = {
    "output_text": ("response.output_text", "text"),
    "refusal": ("response.refusal", "refusal"),
    "reasoning_text": ("response.reasoning_text", "text"),
}
# call type -> (prefix of its events, the key of its payload)
CALLS = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}


class OpenMessage:
    """A message or a reasoning item that grows part by part."""

    def __init__(self, item_id: str, output_index: int, item: Payload) -> None:
        self.output_index = output_index
        self._position = {"item_id": item_id, "output_index": output_index}
        self._head = {"id": item_id, **item}
        self._parts: list[Payload] = []
        self._kind = ""  # of the part that is open
        self._pieces: list[str] = []
        self._logprobs: list[Payload] = []

    def announce(self) -> list[Payload]:
        return [_item_event("added", self._position, self._item("in_progress"))]

    def add_text(self, kind: str, delta: str, logprobs: list[Payload]) -> list[Payload]:
        """Extend the open part, if it is of this *kind*; otherwise close it and open another."""
        events = [] if kind == self._kind else self._start_part(kind)
        self._pieces.append(delta)
        event = {
            "type": PARTS[kind][0] + ".delta",
            **self._position,
            "content_index": len(self._parts),
            "delta": delta,
        }
        if kind == "output_text":
            event["logprobs"] = logprobs
            self._logprobs += logprobs
        events.append(event)
        return events

    def _start_part(self, kind: str) -> list[Payload]:
        events = self._close_part()
        self._kind = kind
        return [*events, self._part_event("added", self._part(""))]

    def _part(self, text: str) -> Payload:
        part: Payload = {"type": self._kind, PARTS[self._kind][1]: text}
        if self._kind == "output_text":
            part.update(annotations=[], logprobs=list(self._logprobs))
        return part

    def _part_event(self, step: str, part: Payload) -> Payload:
        index = len(self._parts)
        return {
            "type": f"response.content_part.{step}",
            **self._position,
            "content_index": index,
            "part": part,
        }

    def _close_part(self) -> list[Payload]:
        if not self._kind:
            return []
        prefix, key = PARTS[self._kind]
        part = self._part("".join(self._pieces))
        done = {"type": prefix + ".done", **self._position, "content_index": len(self._parts), key: part[key]}
        if self._kind == "output_text":
            done["logprobs"] = part["logprobs"]
        events = [done, self._part_event("done", part)]
        self._parts.append(part)
        self._kind, self._pieces, self._logprobs = "", [], []
        return events

    def close(self, status: str) -> tuple[list[Payload], Payload]:
        """Return (the last events of this item, the complete item)."""
        events = self._close_part()
        item = self._item(status)
        return [*events, _item_event("done", self._position, item)], item

    def _item(self, status: str) -> Payload:
        return {**self._head, "status": status, "content": list(self._parts)}


class OpenCall:
    """A function call or a custom tool call whose payload grows."""

    def __init__(self, item_id: str, output_index: int, item: Payload) -> None:
        self._position = {"item_id": item_id, "output_index": output_index}
        self._head = {"id": item_id, **item}
        self._prefix, self._key = CALLS[item["type"]]
        self._pieces: list[str] = []

    def announce(self) -> list[Payload]:
        return [_item_event("added", self._position, self._item("in_progress"))]

    def add_payload(self, delta: str) -> list[Payload]:
        self._pieces.append(delta)
        return [{"type": self._prefix + ".delta", **self._position, "delta": delta}]

    def close(self, status: str) -> tuple[list[Payload], Payload]:
        """Return (the last events of this item, the complete item)."""
        item = self._item(status)
        done = {"type": self._prefix + ".done", **self._position, self._key: item[self._key]}
        if self._key == "arguments":
            done["name"] = item["name"]
        return [done, _item_event("done", self._position, item)], item

    def _item(self, status: str) -> Payload:
        return {**self._head, self._key: "".join(self._pieces), "status": status}


def _item_event(step: str, position: Payload, item: Payload) -> Payload:
    return {"type": f"response.output_item.{step}", "output_index": position["output_index"], "item": item}

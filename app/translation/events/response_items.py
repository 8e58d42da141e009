"""
Build the output items of a response, with the events of each step.

An item is announced, its parts or its payload grow by deltas, and its last event repeats the
complete item. Events lack their `sequence_number`; the caller adds it.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any, Literal, cast

from app.openai_types.responses import ContentPart, ResponsesEvent, ResponsesItem

# part type -> (prefix of its events, the key of its text)
PARTS: dict[str, tuple[str, Literal["text", "refusal"]]] = {
    "output_text": ("response.output_text", "text"),
    "refusal": ("response.refusal", "refusal"),
    "reasoning_text": ("response.reasoning_text", "text"),
}
# call type -> (prefix of its events, the key of its payload)
CALLS: dict[str, tuple[str, Literal["arguments", "input"]]] = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}


class OpenMessage:
    """A message or a reasoning item that grows part by part."""

    def __init__(self, item_id: str, output_index: int, item: ResponsesItem) -> None:
        self.output_index = output_index
        self._position: ResponsesEvent = {"item_id": item_id, "output_index": output_index}
        self._head: ResponsesItem = {"id": item_id, **item}
        self._parts: list[ContentPart] = []
        self._kind = ""  # type of the open part
        self._pieces: list[str] = []
        self._logprobs: list[Any] = []
        self._annotations: list[Any] = []  # annotations of the open part

    @property
    def text(self) -> str:
        """The text of the open part."""
        return "".join(self._pieces)

    @property
    def content_index(self) -> int:
        """The index of the open part, or of the next one."""
        return len(self._parts)

    def set_encrypted(self, content: str) -> None:
        """Set the `encrypted_content` of the item."""
        self._head["encrypted_content"] = content

    def announce(self) -> list[ResponsesEvent]:
        return [item_event("added", self._position, self._item("in_progress"))]

    def add_text(self, kind: str, delta: str, logprobs: list[Any]) -> list[ResponsesEvent]:
        """Extend the open part, if it is of this *kind*; otherwise close it and open another."""
        events = [] if kind == self._kind else self._start_part(kind)
        self._pieces.append(delta)
        event: ResponsesEvent = {
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

    def add_annotations(self, annotations: list[Any]) -> list[ResponsesEvent]:
        """Add *annotations* to the open text, or to a new one."""
        events = [] if self._kind == "output_text" else self._start_part("output_text")
        for annotation in annotations:
            events.append(
                {
                    "type": "response.output_text.annotation.added",
                    **self._position,
                    "content_index": len(self._parts),
                    "annotation_index": len(self._annotations),
                    "annotation": annotation,
                }
            )
            self._annotations.append(annotation)
        return events

    def _start_part(self, kind: str) -> list[ResponsesEvent]:
        events = self.end_part()
        self._kind = kind
        return [*events, self._part_event("added", self._part(""))]

    def _part(self, text: str) -> ContentPart:
        part = cast(ContentPart, {"type": self._kind, PARTS[self._kind][1]: text})
        if self._kind == "output_text":
            part.update({"annotations": list(self._annotations), "logprobs": list(self._logprobs)})
        return part

    def _part_event(self, step: str, part: ContentPart) -> ResponsesEvent:
        index = len(self._parts)
        return {
            "type": f"response.content_part.{step}",
            **self._position,
            "content_index": index,
            "part": part,
        }

    def end_part(self) -> list[ResponsesEvent]:
        """Close the open part, if any; the next text begins another."""
        if not self._kind:
            return []
        prefix, key = PARTS[self._kind]
        part = self._part("".join(self._pieces))
        done: ResponsesEvent = {
            "type": prefix + ".done",
            **self._position,
            "content_index": len(self._parts),
        }
        done[key] = part[key]
        if self._kind == "output_text":
            done["logprobs"] = part["logprobs"]
        events = [done, self._part_event("done", part)]
        self._parts.append(part)
        self._kind, self._pieces, self._logprobs, self._annotations = "", [], [], []
        return events

    def close(self, status: str) -> tuple[list[ResponsesEvent], ResponsesItem]:
        """Return (the last events of this item, the complete item)."""
        events = self.end_part()
        item = self._item(status)
        return [*events, item_event("done", self._position, item)], item

    def _item(self, status: str) -> ResponsesItem:
        return {**self._head, "status": status, "content": list(self._parts)}


class OpenCall:
    """A function call or a custom tool call whose payload grows."""

    def __init__(self, item_id: str, output_index: int, item: ResponsesItem) -> None:
        self.output_index = output_index
        self._position: ResponsesEvent = {"item_id": item_id, "output_index": output_index}
        self._head: ResponsesItem = {"id": item_id, **item}
        self._prefix, self._key = CALLS[item["type"]]
        self._pieces: list[str] = []

    @property
    def has_payload(self) -> bool:
        """Whether its arguments or input have begun."""
        return bool(self._pieces)

    def announce(self) -> list[ResponsesEvent]:
        return [item_event("added", self._position, self._item("in_progress"))]

    def add_payload(self, delta: str) -> list[ResponsesEvent]:
        self._pieces.append(delta)
        return [{"type": self._prefix + ".delta", **self._position, "delta": delta}]

    def close(self, status: str) -> tuple[list[ResponsesEvent], ResponsesItem]:
        """Return (the last events of this item, the complete item)."""
        item = self._item(status)
        done: ResponsesEvent = {"type": self._prefix + ".done", **self._position}
        done[self._key] = item[self._key]
        if self._key == "arguments":
            done["name"] = item["name"]
        return [done, item_event("done", self._position, item)], item

    def _item(self, status: str) -> ResponsesItem:
        item: ResponsesItem = {**self._head}
        item[self._key] = "".join(self._pieces)
        item["status"] = status
        return item


def item_event(step: str, position: ResponsesEvent, item: ResponsesItem) -> ResponsesEvent:
    """Return the event `response.output_item.<step>` for *item*."""
    return {"type": f"response.output_item.{step}", "output_index": position["output_index"], "item": item}

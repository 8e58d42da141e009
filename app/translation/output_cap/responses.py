"""
Enforce `max_output_tokens` of a response for an upstream that does not support it.

At the cut, open items are closed with their text so far, and the response is incomplete.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.streaming.events import Event
from app.translation.output_cap.limiter import OutputCap

Payload = dict[str, Any]


class TextField(NamedTuple):
    """The target of one type of delta: a part in one of the item's lists, or a field of the item."""

    key: str  # key of the text in the part or the item
    parts: str = ""  # content | summary
    index_key: str = ""
    part_type: str = ""


TEXT_FIELDS = {
    "response.output_text": TextField("text", "content", "content_index", "output_text"),
    "response.refusal": TextField("refusal", "content", "content_index", "refusal"),
    "response.reasoning_text": TextField("text", "content", "content_index", "reasoning_text"),
    "response.reasoning_summary_text": TextField("text", "summary", "summary_index", "summary_text"),
    "response.function_call_arguments": TextField("arguments"),
    "response.custom_tool_call_input": TextField("input"),
    "response.mcp_call_arguments": TextField("arguments"),
    "response.code_interpreter_call_code": TextField("code"),
}
PART_DONE = {"content": "response.content_part.done", "summary": "response.reasoning_summary_part.done"}
INCOMPLETE = {"reason": "max_output_tokens"}


class _OpenText:
    """A growing text: its position and its pieces."""

    def __init__(self, stem: str, delta: Payload) -> None:
        self.stem, self.text_field = stem, TEXT_FIELDS[stem]
        self.position: Payload = {
            name: delta[name]
            for name in ("item_id", "output_index", "content_index", "summary_index")
            if name in delta
        }
        self.pieces: list[str] = []
        self.closed_part: Payload | None = None  # the part, once the upstream has closed it

    def close(self) -> tuple[list[Payload], Payload]:
        """Return (the events that close the text, the part or the item's field that it completes)."""
        if self.closed_part is not None:
            return [], self.closed_part
        text = "".join(self.pieces)
        done = {"type": self.stem + ".done", **self.position, self.text_field.key: text}
        if not self.text_field.parts:
            return [done], {self.text_field.key: text}
        part: Payload = {"type": self.text_field.part_type, self.text_field.key: text}
        if self.text_field.part_type == "output_text":
            part.update(annotations=[], logprobs=[])
            done["logprobs"] = []
        return [done, {"type": PART_DONE[self.text_field.parts], **self.position, "part": part}], part


class ResponsesOutputCap(OutputCap):
    """Caps a stream of Responses events."""

    def __init__(self, max_bytes: int | None) -> None:
        super().__init__(max_bytes)
        self._response: Payload = {}
        self._open: dict[int, Payload] = {}  # items by output index
        self._texts: dict[tuple[int, str, int], _OpenText] = {}  # in the order in which they began
        self._done: dict[int, Payload] = {}
        self._sequence_number: int | None = None

    def _limit_event(self, event: Event) -> None:
        payload, kind = event.payload, event.type
        number = payload.get("sequence_number")
        self._sequence_number = number if isinstance(number, int) else self._sequence_number
        stem = kind.removesuffix(".delta")
        if stem in TEXT_FIELDS and stem != kind and isinstance(payload.get("delta"), str):
            self._delta(event, stem)
            return
        self._out.append(event)
        if kind.endswith(".done"):
            self._note_done(kind, payload)
        if kind in ("response.created", "response.in_progress"):
            response = payload.get("response")
            self._response = response if isinstance(response, dict) else self._response
        elif kind.startswith("response.output_item."):
            self._note_item(kind, payload.get("output_index", 0), payload.get("item"))

    def _note_item(self, kind: str, text_field: Any, item: Any) -> None:
        if not isinstance(text_field, int) or not isinstance(item, dict):
            return  # such an item cannot be closed
        if kind == "response.output_item.added":
            self._open[text_field] = item
        elif kind == "response.output_item.done":
            self._open.pop(text_field, None)
            self._done[text_field] = item

    def _note_done(self, kind: str, payload: Payload) -> None:
        """Remember the parts and fields that the upstream itself has closed."""
        for (output_index, parts, index), text in self._texts.items():
            text_field = text.text_field
            if output_index != payload.get("output_index") or index != payload.get(text_field.index_key, 0):
                continue
            if parts and kind == PART_DONE[parts]:
                text.closed_part = payload.get("part")
            elif not parts and kind == text.stem + ".done" and text_field.key in payload:
                text.closed_part = {text_field.key: payload[text_field.key]}

    def _delta(self, event: Event, stem: str) -> None:
        payload, text_field = event.payload, TEXT_FIELDS[stem]
        key = (payload.get("output_index", 0), text_field.parts, payload.get(text_field.index_key, 0))
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = _OpenText(stem, payload)
        shown = self._limiter.limit_other(payload["delta"])
        text.pieces.append(shown)
        if self.cut is None:
            self._out.append(event)
            return
        if shown:
            logprobs: Payload = {"logprobs": []} if "logprobs" in payload else {}
            self._out.append(Event({**payload, "delta": shown, **logprobs}))
        elif self._sequence_number is not None:
            self._sequence_number -= 1  # this event is not sent
        self._finish()

    def _end(self, open_choices: Sequence[int]) -> None:
        self._finish()

    def _finish(self) -> None:
        for index, item in sorted(self._open.items()):
            self._close(index, dict(item))
        output = [item for _, item in sorted(self._done.items())]
        self._send(
            {
                "type": "response.incomplete",
                "response": {
                    **self._response,
                    "status": "incomplete",
                    "incomplete_details": INCOMPLETE,
                    "output": output,
                    "usage": None,
                },
            }
        )

    def _close(self, index: int, item: Payload) -> None:
        for (output_index, parts, _), text in self._texts.items():
            if output_index == index:
                events, close = text.close()
                if parts:
                    item[parts] = [*(item.get(parts) or ()), close]
                else:
                    item.update(close)
                for event in events:
                    self._send(event)
        item["status"] = "incomplete"
        self._done[index] = item
        self._send({"type": "response.output_item.done", "output_index": index, "item": item})

    def _send(self, payload: Payload) -> None:
        if self._sequence_number is not None:
            self._sequence_number += 1
            payload["sequence_number"] = self._sequence_number
        self._out.append(Event(payload))

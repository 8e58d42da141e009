"""Resume a Responses stream. See `delivered`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.streaming.events import Event
from app.streaming.responses_protocol import OPENING, event_type
from app.translation.resume.logprobs import logprobs_after
from app.translation.resume.prefix_match import PrefixMatcher

Payload = dict[str, Any]

_ANNOUNCED = ("response.output_item.added", "response.content_part.added")


class ResponsesDelivered:
    """Records the text and ids of one message; any other content makes the stream not resumable."""

    def __init__(self) -> None:
        self.resumable = True
        self._text: list[str] = []
        self._response_id: str | None = None
        self._item_id: str | None = None
        self._sequence_number = -1

    def record(self, events: list[Event]) -> None:
        """Add delivered *events*."""
        for event in events:
            payload, kind = event.payload, event_type(event.payload)
            self._sequence_number = payload.get("sequence_number", self._sequence_number)
            if kind in OPENING:
                self._response_id = payload.get("response", {}).get("id")
            elif kind == "response.output_item.added" and self._item_id is None:
                item = payload.get("item", {})
                self.resumable &= item.get("type") == "message"
                self._item_id = item.get("id")
            elif kind == "response.output_text.delta":
                self._text.append(payload.get("delta", ""))
                self.resumable &= not payload.get("content_index")
            elif kind != "response.content_part.added":
                self.resumable = False

    def resume(self) -> Callable[[Payload], Payload | None]:
        return _Continuation(self._response_id, self._item_id, "".join(self._text), self._sequence_number)


class _Continuation:
    def __init__(self, response_id: str | None, item_id: str | None, text: str, sequence_number: int) -> None:
        self._response_id = response_id
        self._item_id = item_id
        self._prefix = PrefixMatcher(text)
        self._sequence_number = sequence_number
        self._new_item_id: str | None = None
        self._hidden = 0  # number of reasoning items before the message, which the client did not receive

    def __call__(self, payload: Payload) -> Payload | None:
        kind = event_type(payload)
        if kind in OPENING or self._is_reasoning(payload):
            return None
        if kind == "response.output_item.added" and self._new_item_id is None:
            item = payload.get("item", {})
            if item.get("type") == "reasoning":
                self._hidden += 1
                return None
            if item.get("type") != "message":
                raise ValueError("something other than text comes where text was delivered")
            self._new_item_id = item.get("id")
            return None
        if kind in _ANNOUNCED and not self._prefix.matched:
            return None
        if kind == "response.output_text.delta" and not self._prefix.matched:
            text = payload.get("delta", "")
            delta = self._prefix.remove_prefix(text)
            if not delta:
                return None
            rest = {**payload, "delta": delta}
            if payload.get("logprobs"):
                rest["logprobs"] = logprobs_after(payload["logprobs"], text[: -len(delta)])
            return self._renamed(rest)
        if not self._prefix.matched:
            raise ValueError("the new response ends, or changes, before what was delivered")
        if kind == "response.content_part.added" and self._is_first(payload):
            return None
        return self._renamed(payload)

    def _is_reasoning(self, payload: Payload) -> bool:
        return int(payload.get("output_index", self._hidden)) < self._hidden

    def _is_first(self, payload: Payload) -> bool:
        return payload.get("item_id") == self._new_item_id and not payload.get("content_index")

    def _renamed(self, payload: Payload) -> Payload:
        self._sequence_number += 1
        out = {**payload, "sequence_number": self._sequence_number}
        if "output_index" in out:
            out["output_index"] -= self._hidden
        if out.get("item_id") == self._new_item_id:
            out["item_id"] = self._item_id
        if isinstance(item := out.get("item"), dict):
            out["item"] = self._renamed_item(item)
        if isinstance(response := out.get("response"), dict):
            output = [self._renamed_item(item) for item in (response.get("output") or [])[self._hidden :]]
            out["response"] = {**response, "id": self._response_id, "output": output}
        return out

    def _renamed_item(self, item: Payload) -> Payload:
        return {**item, "id": self._item_id} if item.get("id") == self._new_item_id else item

"""
Enforce a chat request's length limit and stop sequences for an upstream that does not support them.

Only for responses of one choice: requests for several need an account that supports the limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, cast

from app.openai_types.chat import ChatChunk, ChatDelta, ChatToolCall
from app.streaming.events import Event
from app.translation.output_cap.limiter import OutputCap

Payload = dict[str, Any]
Called = TypeVar("Called", bound=Mapping[str, Any])

OTHER_TEXTS: tuple[Literal["refusal", "reasoning_content", "reasoning"], ...] = (
    "refusal",
    "reasoning_content",
    "reasoning",
)


class ChatOutputCap(OutputCap):
    """Caps a stream of chunks; `cut` becomes the finish_reason."""

    def __init__(self, max_bytes: int | None, stops: tuple[str, ...] = ()) -> None:
        super().__init__(max_bytes, stops)
        self._newest: Payload = {}  # the newest chunk with choices: final chunks get its other fields

    def limit_events(self, events: list[Event]) -> list[Event]:
        limiter = self._limiter
        if limiter.cut is not None or not limiter.passes_all:
            return super().limit_events(events)
        for event in reversed(events):
            if event.payload.get("choices"):
                self._newest = event.payload
                break
        return events

    def _limit_event(self, event: Event) -> None:
        choices = event.payload.get("choices")
        if not choices:
            self._out.append(event)
            return
        self._newest = event.payload
        choice = choices[0]
        delta: Any = choice.get("delta") or {}
        if choice.get("finish_reason") or delta.get("tool_calls"):
            self._send_held(event.payload, choice)
        if self.cut is None:
            allowed = self._allowed(delta)
            if allowed == delta:
                self._out.append(event)
            elif any(allowed.values()):
                self._out.append(Event(_chunk(event.payload, choice, allowed)))
        if self.cut is not None:
            self._finish(event.payload, choice)

    def _send_held(self, payload: Payload, choice: Payload) -> None:
        if held := self._limiter.release():
            self._out.append(Event(_chunk(payload, choice, {"content": held})))

    def _allowed(self, delta: ChatDelta) -> ChatDelta:
        """Return the part of *delta* that may be sent."""
        allowed: ChatDelta = {**delta}
        if isinstance(content := delta.get("content"), str):
            allowed["content"] = self._limiter.limit_text(content)
        for name in OTHER_TEXTS:
            if isinstance(text := delta.get(name), str):
                allowed[name] = self._limiter.limit_other(text)
        if calls := delta.get("tool_calls"):
            allowed["tool_calls"] = [self._allowed_call(call) for call in calls]
        if delta.get("function_call"):
            allowed["function_call"] = self._allowed_text(delta["function_call"], "arguments")
        if self.cut is not None:
            allowed.pop("reasoning_details", None)  # they repeat the text that was cut from `reasoning`
        return allowed

    def _allowed_call(self, call: ChatToolCall) -> ChatToolCall:
        out: ChatToolCall = {**call}
        if "function" in call:
            out["function"] = self._allowed_text(call["function"], "arguments")
        if "custom" in call:
            out["custom"] = self._allowed_text(call["custom"], "input")
        return out

    def _allowed_text(self, called: Called, key: str) -> Called:
        text = called.get(key) if isinstance(called, dict) else None
        if not isinstance(text, str):
            return called
        return cast(Called, {**called, key: self._limiter.limit_other(text)})

    def _end(self, open_choices: Sequence[int]) -> None:
        if newest := self._newest:
            for index in open_choices:
                self._out.append(Event(_chunk(newest, {"index": index}, {}, self.cut)))
            self._end_usage(newest)

    def _finish(self, payload: Payload, choice: Payload) -> None:
        self._out.append(Event(_chunk(payload, choice, {}, self.cut)))
        self._end_usage(payload)

    def _end_usage(self, payload: Payload) -> None:
        if "usage" in payload:  # usage was requested, but that of the upstream will not be read
            self._out.append(Event({**payload, "choices": [], "usage": None}))


def _chunk(
    payload: Payload, choice: Payload, delta: ChatDelta, finish_reason: str | None = None
) -> ChatChunk:
    """Return a copy of *payload* with *delta*, without logprobs, which belong to the uncut text."""
    changed = {**choice, "delta": delta, "finish_reason": finish_reason}
    if "logprobs" in choice:
        changed["logprobs"] = None
    return cast(ChatChunk, {**payload, "choices": [changed]})

"""
What the events of a Responses stream mean.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from app.errors import UpstreamRejected
from app.streaming.events import Event
from app.streaming.failures import rejection_from_event
from app.streaming.stages import Stage
from app.streaming.usage import Usage, usage_from_responses
from schemas import bounds

OPENING = frozenset(("response.created", "response.in_progress", "response.queued"))
FINISHES = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "error": "failed",
}
ALIASES = {  # names of earlier previews that some backends still use
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
}
_ANNOUNCED = {  # the event that opens a message, a part or a thought -> where it is
    "response.output_item.added": "item",
    "response.content_part.added": "part",
    "response.reasoning_summary_part.added": "part",
}
_FILLED = frozenset(("message", "reasoning", "output_text", "refusal", "reasoning_text", "summary_text"))


def event_type(payload: dict[str, Any]) -> str:
    """Return the type of an event by its present name, `""` if it has none."""
    kind = payload.get("type")
    return ALIASES.get(kind, kind) if isinstance(kind, str) else ""


def is_opening(payload: dict[str, Any]) -> bool:
    """Whether a user would see nothing of this event, so that another account may still answer."""
    kind = event_type(payload)
    if kind in _ANNOUNCED:
        return _is_empty(payload.get(_ANNOUNCED[kind]))
    return _is_quiet(kind)


def _is_empty(announced: Any) -> bool:
    """Whether *announced* is to be filled by what follows; a tool call is seen by its name alone."""
    if not isinstance(announced, dict):
        return False
    told = any(announced.get(key) for key in ("content", "summary", "text", "refusal"))
    kind = announced.get("type")
    return isinstance(kind, str) and kind in _FILLED and not told


def _is_quiet(kind: str) -> bool:
    return kind in OPENING or not (kind.startswith("response.") or kind == "error")


class ResponsesReader:
    """
    Watches one Responses stream go by. `finish` is "completed", "incomplete" or "failed".

    `output_bytes` counts UTF-8 bytes of text, refusal, reasoning and tool arguments: those of
    the deltas, or those of the finished items where no deltas came; `deltas` counts those.
    """

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self.service_tier: str | None = None  # what it is billed as, which may not be what was asked
        self.error: UpstreamRejected | None = None
        self.finish: str | None = None
        self.deltas = 0
        self._delta_bytes = 0
        self._item_bytes = 0

    @property
    def output_bytes(self) -> int:
        return max(self._delta_bytes, self._item_bytes)

    def observe(self, event: Event) -> Stage:
        """Take in one event; nothing after a terminal one counts."""
        if self.finish is not None:
            return Stage.TERMINAL
        payload = event.payload
        kind = event_type(payload)
        delta = payload.get("arguments" if kind == "response.function_call.delta" else "delta")
        if isinstance(delta, str):
            if kind != "response.output_audio.delta":  # Base64 says nothing of tokens
                self._delta_bytes += len(delta.encode())
                self.deltas += bool(delta)
            return Stage.PROGRESS if delta else Stage.QUIET
        if kind in FINISHES:
            return self._end(kind, payload)
        if kind in OPENING:
            self._identify(payload.get("response"))
        elif kind == "response.output_item.done":
            self._item_bytes += _item_bytes(payload.get("item"))
        return Stage.QUIET if _is_quiet(kind) else Stage.PROGRESS

    def can_end(self) -> bool:
        """Whether the stream may end here without being cut: its terminal event came."""
        return self.finish is not None

    def _end(self, kind: str, payload: dict[str, Any]) -> Stage:
        self.finish = FINISHES[kind]
        response = payload.get("response")
        self._identify(response)
        if isinstance(response, dict):
            self.usage = usage_from_responses(response.get("usage"))
            output = response.get("output")
            if isinstance(output, list):
                self._item_bytes = max(self._item_bytes, sum(map(_item_bytes, output)))
        if self.finish == "failed":
            self.error = rejection_from_event(payload)
        return Stage.TERMINAL

    def _identify(self, response: Any) -> None:
        if isinstance(response, dict):
            self.response_id = bounds.text(response.get("id")) or self.response_id
            self.model = bounds.text(response.get("model")) or self.model
            self.service_tier = bounds.text(response.get("service_tier")) or self.service_tier


def _item_bytes(item: Any) -> int:
    """Count the text of a message or reasoning item, or the arguments of a call."""
    if not isinstance(item, dict):
        return 0
    parts = [item]
    for key in ("content", "summary"):
        inner = item.get(key)
        if isinstance(inner, list):
            parts += [part for part in inner if isinstance(part, dict)]
    texts = [part.get(key) for part in parts for key in ("text", "refusal", "arguments", "input")]
    return sum(len(text.encode()) for text in texts if isinstance(text, str))

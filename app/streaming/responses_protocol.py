"""
Read the events of a Responses stream: progress, usage, failures, and the end.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from app.errors import UpstreamRejected
from app.streaming.counting import text_bytes, written_bytes
from app.streaming.events import Event
from app.streaming.progress import Stage
from app.streaming.response_repair import (
    CUT,
    INCOMPLETE,
    PAYLOAD_KEYS,
    has_cut_arguments,
    json_text,
    repaired_item,
    repaired_output,
    with_content,
)
from app.streaming.upstream_errors import is_error_name, rejection_from_event, reports_error
from app.streaming.usage import Usage, usage_from_responses
from app.streaming.usage_shapes import usage_for_responses
from schemas import bounds

OPENING = frozenset(("response.created", "response.in_progress", "response.queued"))
FINISHES = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "error": "failed",
}
_NOT_COMPLETED = {  # terminal event by the status of the response
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.failed",
}
ALIASES = {  # names of earlier previews that some backends still use
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
}
_TEXT_DELTAS = frozenset(
    f"response.{name}.delta"
    for name in (
        *("output_text", "refusal", "reasoning_text", "reasoning_summary_text"),
        *("function_call_arguments", "custom_tool_call_input"),
    )
)
ITEM_ADDED = "response.output_item.added"
_ANNOUNCED = {  # event that announces an item or a part -> the key that holds it
    ITEM_ADDED: "item",
    "response.content_part.added": "part",
    "response.reasoning_summary_part.added": "part",
}
_CONTAINER_TYPES = frozenset(
    ("message", "reasoning", "output_text", "refusal", "reasoning_text", "summary_text")
)


def event_type(payload: dict[str, Any]) -> str:
    """Return the type of an event under its current name, `""` if it has none."""
    kind = payload.get("type")
    return ALIASES.get(kind, kind) if isinstance(kind, str) else ""


def is_opening(payload: dict[str, Any]) -> bool:
    """Return whether this event has no visible content, so that another account may still answer."""
    kind = event_type(payload)
    if kind in _ANNOUNCED:
        return _is_empty(payload.get(_ANNOUNCED[kind]))
    return _shows_nothing(kind)


def _is_empty(announced: Any) -> bool:
    """Return whether *announced*, an item or part, has no content yet; the name of a call is content."""
    if not isinstance(announced, dict):
        return False
    has_content = any(announced.get(key) for key in ("content", "summary", "text", "refusal"))
    kind = announced.get("type")
    return isinstance(kind, str) and kind in _CONTAINER_TYPES and not has_content


def _shows_nothing(kind: str) -> bool:
    return kind in OPENING or not (kind.startswith("response.") or kind == "error")


class ResponsesReader:
    """
    Observes one Responses stream, and repairs items that deviate from the API: their events change.

    `finish` is "completed", "incomplete" or "failed".

    `output_bytes` counts the UTF-8 bytes of all model output: those of deltas, and those of
    snapshots (`*.done`) of items without deltas. `deltas` counts the deltas.
    """

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self.service_tier: str | None = None  # the billed tier, which may differ from the requested one
        self.error: UpstreamRejected | None = None
        self.finish: str | None = None
        self.deltas = 0
        self.has_calls = False  # whether a tool was called
        self.unknown_usage: Any = None  # a reported usage that has no known count
        self._delta_bytes = 0
        self._last_output_index: Any = self  # output index of the newest delta
        self._streamed: set[Any] = set()  # output indexes that had deltas
        self._parts: dict[Any, int] = {}  # bytes of finished texts of other items, by output index
        self._items: dict[Any, int] = {}  # bytes of finished items, by output index
        self._output_bytes = 0  # bytes in the output of the terminal event
        self._has_cut_call = False  # whether a function call ends inside its arguments
        self._begun: dict[str, Any] = {}  # the response of the newest opening event

    @property
    def output_bytes(self) -> int:
        """The UTF-8 bytes of all model output so far."""
        if not (self._parts or self._items):  # read for every delta of a response with an output cap
            return max(self._delta_bytes, self._output_bytes)
        snapshots = sum(
            max(self._parts.get(output_index, 0), self._items.get(output_index, 0))
            for output_index in self._parts.keys() | self._items.keys()
            if output_index not in self._streamed
        )
        return max(self._delta_bytes + snapshots, self._output_bytes)

    @property
    def reported_usage(self) -> Usage | None:
        """The usage of the complete response, which only the terminal event has."""
        return self.usage

    def held_end(self) -> None:
        """Return None: no event waits for the end of the stream."""

    def observe(self, event: Event) -> Stage:
        """Read one event; events after a terminal one have no effect."""
        if self.finish is not None:
            return Stage.TERMINAL
        payload = event.payload
        kind = event_type(payload)
        delta = payload.get("arguments" if kind == "response.function_call.delta" else "delta")
        if isinstance(delta, str):
            if kind != "response.output_audio.delta":  # the length of Base64 is unrelated to tokens
                self._delta_bytes += text_bytes(delta)
                self.deltas += bool(delta)
                output_index = payload.get("output_index")
                if output_index != self._last_output_index:
                    self._last_output_index = output_index
                    self._streamed.add(_index(output_index))
            return Stage.PROGRESS if delta else Stage.QUIET
        if kind in FINISHES:
            return self._end(kind, event)
        if kind in _TEXT_DELTAS:
            text = _text_of(kind, delta)
            event.payload, event.data = {**payload, "delta": text}, None
            return self.observe(event)
        # An error object without an event around it
        if (not kind or is_error_name(kind)) and reports_error(payload):
            return self._end("error", event)
        if kind in OPENING:
            self._begin(event)
        elif kind.endswith(".done"):
            self._snapshot(kind, event)
        elif kind == ITEM_ADDED:
            _repair_item(event)
        return Stage.QUIET if _shows_nothing(kind) else Stage.PROGRESS

    def _begin(self, event: Event) -> None:
        response = event.payload.get("response")
        if not isinstance(response, dict):
            return
        if (begun_id := self._begun.get("id")) and response.get("id") != begun_id:
            response = {**response, "id": begun_id}
            event.payload, event.data = {**event.payload, "response": response}, None
        self._identify(response)
        self._begun = response
        if (usage := response.get("usage")) is not None:
            repaired = usage_for_responses(usage, usage_from_responses(usage))
            if repaired is not usage:
                response = {**response, "usage": repaired}
                event.payload, event.data = {**event.payload, "response": response}, None

    def _snapshot(self, kind: str, event: Event) -> None:
        output_index = _index(event.payload.get("output_index"))
        if kind == "response.output_item.done":
            item = _repair_item(event)
            self._items[output_index] = self._items.get(output_index, 0) + written_bytes(item)
            if isinstance(item, dict):
                self.has_calls |= str(item.get("type")).endswith("_call")
                self._has_cut_call |= _is_cut_call(item)
        elif not isinstance(event.payload.get("part"), dict):  # `part` events repeat earlier text
            if "arguments" in event.payload:
                _repair_arguments(event)
            self._parts[output_index] = self._parts.get(output_index, 0) + written_bytes(event.payload)

    def can_end(self) -> bool:
        """Return whether the stream is complete if it ends now: its terminal event was received."""
        return self.finish is not None

    def open_choices(self) -> list[int]:
        """Return the index of the one choice of a response, unless it is complete."""
        return [0] if self.finish is None else []

    @property
    def is_unfinished(self) -> bool:
        """Whether the response lacks its end."""
        return self.finish is None

    def _end(self, kind: str, event: Event) -> Stage:
        payload = event.payload
        response = payload.get("response")
        if not isinstance(response, dict) and kind in ("response.completed", "response.incomplete"):
            response = {**self._begun, "status": FINISHES[kind]}
            event.payload, event.data = {**payload, "response": response}, None
            payload = event.payload
        if kind == "response.completed" and isinstance(response, dict):
            ended = _end_of(response)
            if ended != kind:
                kind = ended
                event.payload, event.data = {**payload, "type": kind}, None
                payload = event.payload
        self._identify(response)
        if isinstance(response, dict):
            repaired = {**self._read_usage(response), **self._read_output(response)}
            if response.get("status") != FINISHES[kind] and FINISHES[kind] != "failed":
                repaired["status"] = FINISHES[kind]
            if (begun_id := self._begun.get("id")) and response.get("id") != begun_id:
                repaired["id"] = begun_id  # SDKs fail if the id changes
            if self._has_cut_call and kind == "response.completed":
                kind = "response.incomplete"
                repaired |= CUT
            if repaired:
                event.payload = {**payload, "type": kind, "response": {**response, **repaired}}
                event.data = None
        self.finish = FINISHES[kind]
        if self.finish == "failed":
            self.error = rejection_from_event(payload)
        return Stage.TERMINAL

    def _read_usage(self, response: dict[str, Any]) -> dict[str, Any]:
        """Return the repaired `usage` of *response*, {} if it is as documented."""
        usage = response.get("usage")
        self.usage = usage_from_responses(usage)
        if self.usage is None:
            self.unknown_usage = usage or None
        repaired = usage_for_responses(usage, self.usage)
        return {} if repaired is usage else {"usage": repaired}

    def _read_output(self, response: dict[str, Any]) -> dict[str, Any]:
        """Return the repaired `output` of *response*, {} if it is as documented."""
        output = response.get("output")
        if not isinstance(output, list):
            return {}
        repaired = repaired_output(output)
        self._output_bytes = written_bytes(repaired)
        self.has_calls |= any(
            isinstance(item, dict) and str(item.get("type")).endswith("_call") for item in repaired
        )
        if repaired:  # else the streamed items are the output
            self._has_cut_call = any(isinstance(item, dict) and _is_cut_call(item) for item in repaired)
        return {} if repaired is output else {"output": repaired}

    def _identify(self, response: Any) -> None:
        if isinstance(response, dict):
            self.response_id = self.response_id or bounds.text(response.get("id"))
            self.model = bounds.text(response.get("model")) or self.model
            self.service_tier = bounds.text(response.get("service_tier")) or self.service_tier


def _end_of(response: dict[str, Any]) -> str:
    """Return the event type for the status of *response*: vLLM ends all streams as completed."""
    if response.get("error"):
        return "response.failed"
    status = response.get("status")
    return _NOT_COMPLETED.get(status if isinstance(status, str) else "", "response.completed")


def _text_of(kind: str, delta: Any) -> str:
    """Return a *delta* that is not a text as text: the JSON of a number or of arguments, '' for others."""
    if type(delta) is int:
        return str(delta)
    is_json = kind == "response.function_call_arguments.delta" and type(delta) in (dict, list)
    return json_text(delta) if is_json else ""


def _repair_item(event: Event) -> Any:
    """Return the item of *event* with its payload repaired."""
    item = event.payload.get("item")
    if type(item) is not dict:
        return item
    if event.type == ITEM_ADDED:
        repaired = with_content(item)
        if repaired is not item and item["type"] in PAYLOAD_KEYS:
            repaired[PAYLOAD_KEYS[item["type"]]] = ""  # the deltas or the finished item have the payload
    else:
        repaired = repaired_item(item)
    if repaired is not item:
        event.payload, event.data = {**event.payload, "item": repaired}, None
    return repaired


def _is_cut_call(item: dict[str, Any]) -> bool:
    """Return whether *item*, which is repaired, is a call that was cut."""
    return item.get("status") == INCOMPLETE and has_cut_arguments(item)


def _repair_arguments(event: Event) -> None:
    arguments = event.payload.get("arguments")
    if type(arguments) in (dict, list):
        event.payload, event.data = {**event.payload, "arguments": json_text(arguments)}, None


def _index(output_index: Any) -> int | None:
    return output_index if isinstance(output_index, int) else None

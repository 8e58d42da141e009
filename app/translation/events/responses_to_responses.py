"""Responses events for a Responses client: passed on, with missing events added."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.openai_types.responses import ResponsesItem
from app.streaming.events import DONE, Event
from app.streaming.response_repair import (
    CUT,
    PAYLOAD_KEYS,
    has_cut_arguments,
    has_no_payload,
    lacks_payload,
    repaired_item,
    with_payload,
)
from app.streaming.responses_protocol import ALIASES
from app.translation.events.implicit_messages import KINDS, ImplicitMessages, build_part_added
from app.translation.events.item_ids import PLACED, ItemIds
from app.translation.events.open_items import OpenItems
from app.translation.events.response_items import CALLS, PARTS
from app.translation.events.seen_parts import SeenParts
from app.translation.events.synthesized_events import build_created, build_delta, build_item_events

Payload = dict[str, Any]

MAX_HELD_EVENTS = 64  # held back until an event identifies the response
RATE_LIMITS = "codex.rate_limits"  # the account's usage windows
FAILURES = ("response.failed", "error")  # `app.api` writes them


class ResponsesPassThrough:
    """
    Passes events on in upstream order, and repairs what strict clients fail on:

    - `response.created` comes first, built from the first event with a response;
    - items and parts are announced before their deltas, and keep the ids they were announced with; events
      without `output_index` or `content_index` get one, and two calls have two ids;
    - text that only a snapshot has is also sent as a delta;
    - items that were begun are ended before the response is, which is incomplete if a call was cut;
    - events without a type, and items without one, are left out;
    - an empty `output` of the final response is filled with the streamed items;
    - the ChatGPT backend's `codex.*` events are dropped unless *keep_codex_events*; with
      *hide_windows*, the event with the account's usage windows is always dropped.

    An inserted event has its own sequence number; the upstream's following numbers increase.
    """

    def __init__(self, keep_codex_events: bool = False, *, hide_windows: bool = False) -> None:
        self._keep_codex_events = keep_codex_events
        self._hide_windows = hide_windows
        self._begun = self._ended = False
        self._held: list[Event] = []
        self._seen = SeenParts()
        self._ids = ItemIds()
        self._announced: set[Any] = set()  # output indexes
        self._parts: set[tuple[Any, Any]] = set()  # announced: (output index, content index)
        self._implicit = ImplicitMessages()
        self._open = OpenItems()
        self._pieces: list[Any] = []  # pieces of the text that the last delta extended
        self._repaired = False
        self._has_cut_call = False  # whether a call, known from its deltas, ends inside its arguments
        self._is_numbered = True  # whether the upstream numbers its events
        self._number: Any = None  # sequence number of the last event sent
        self._items: dict[int, ResponsesItem] = {}  # finished items by output index
        self._out: list[Event] = []

    def translate(self, events: list[Event]) -> list[Event]:
        """Return the events to send for *events*, in order, with missing ones inserted."""
        for event in events:
            if not self._ended and event is not DONE:
                self._handle(event)
        out, self._out = self._out, []
        if self._repaired:
            self._renumber(out)
        elif out:
            self._number = out[-1].payload.get("sequence_number")
        return out

    def finish(self) -> list[Event]:
        held, self._held = self._held, []
        return held

    def _renumber(self, out: list[Event]) -> None:
        """Make the sequence numbers of *out* increase; events without a number stay without."""
        for position, event in enumerate(out):
            if "sequence_number" not in event.payload:
                continue
            if not self._is_numbered:
                payload = {key: value for key, value in event.payload.items() if key != "sequence_number"}
                out[position] = Event(payload)
                continue
            number, minimum = event.payload["sequence_number"], _number(self._number) + 1
            self._number = max(_number(number), minimum)
            if number != self._number:
                out[position] = Event({**event.payload, "sequence_number": self._number})

    def _insert(self, *events: Event) -> None:
        self._out += events
        self._repaired = self._repaired or bool(events)

    def _handle(self, event: Event) -> None:
        kind = event.type
        if kind in ALIASES:
            kind = ALIASES[kind]
            event = Event({**event.payload, "type": kind})
        if not kind or kind in FAILURES or (kind.startswith("codex.") and not self._passes(kind)):
            return
        if not self._begun and not self._begin(event):
            return
        if type(event.payload.get("output_index")) is int:
            event = self._ids.repaired(event)
        elif kind in PLACED:
            event = self._ids.placed(event)
        handler = _HANDLERS.get(kind)
        passed = event if handler is None else handler(self, event)
        if passed is not None:
            self._out.append(passed)

    def _passes(self, kind: str) -> bool:
        return self._keep_codex_events and not (self._hide_windows and kind == RATE_LIMITS)

    def _begin(self, event: Event) -> bool:
        """Return whether *event* may be sent now; insert `response.created` before it if missing."""
        response = event.payload.get("response")
        self._is_numbered = "sequence_number" in event.payload
        if event.type != "response.created":
            if not isinstance(response, dict) and len(self._held) < MAX_HELD_EVENTS:
                self._held.append(event)
                return False
            if isinstance(response, dict):
                self._insert(build_created(response, event.payload))
        self._begun = True
        held, self._held = self._held, []
        for earlier in held:
            self._handle(earlier)
        return True

    def _on_delta(self, event: Event) -> Event | None:
        payload = event.payload
        if not self._seen.mark(payload):
            self._pieces.append(payload.get("delta"))
            return event  # a further delta of the same part
        index = payload.get("output_index", 0)
        if index in self._implicit or index not in self._announced:
            self._seen.forget_last()
            made = self._implicit.add_delta(index, payload)
            if made and made[0].type == "response.output_item.added":
                self._ids.announce_made(made[0].payload)
            self._insert(*made)
            return None
        part = index, payload.get("content_index", 0)
        if part not in self._parts:
            self._parts.add(part)
            self._insert(build_part_added(payload))
        self._pieces = self._open.pieces(payload)
        self._pieces.append(payload.get("delta"))
        return event

    def _on_call_delta(self, event: Event) -> Event | None:
        """Drop deltas of a call that was not announced: its `output_item.done` has all of the call."""
        payload = event.payload
        if payload.get("output_index") not in self._announced:
            return None if "output_index" in payload else event
        self._open.pieces(payload).append(payload.get("delta"))
        return event

    def _on_call_done(self, event: Event) -> Event | None:
        payload = event.payload
        if payload.get("output_index") not in self._announced:
            return None if "output_index" in payload else event
        self._open.note_done(payload)
        return event

    def _on_part_added(self, event: Event) -> Event | None:
        part = event.payload.get("output_index", 0), event.payload.get("content_index", 0)
        if part in self._parts or part[0] in self._implicit or type(event.payload.get("part")) is not dict:
            return None
        if part[0] not in self._announced and _text_of(event.payload.get("part")) is not None:
            return None  # the text announces both the message and the part
        self._parts.add(part)
        self._ids.note_part(*part)
        return event

    def _on_part_done(self, event: Event) -> Event | None:
        payload = event.payload
        text = _text_of(payload.get("part"))
        if text and payload not in self._seen:
            part = payload["part"]
            self._insert_delta({**payload, **part, "type": f"response.{part['type']}.done"})
        if payload.get("output_index", 0) in self._implicit or type(payload.get("part")) is not dict:
            return None
        self._open.note_part_done(payload)
        return event

    def _on_text_done(self, event: Event) -> Event | None:
        """Insert a delta before the text of a part that had none."""
        if event.payload not in self._seen:
            self._insert_delta(event.payload)
        index = event.payload.get("output_index", 0)
        if index in self._implicit:
            self._insert(*self._implicit.end_part(index, event.payload))
            return None
        self._open.note_done(event.payload)
        return event

    def _insert_delta(self, done: Payload) -> None:
        delta = build_delta(done)
        if delta is not None and (passed := self._on_delta(delta)) is not None:
            self._insert(passed)

    def _on_item_added(self, event: Event) -> Event | None:
        if event.payload.get("output_index", 0) in self._implicit or not _is_item(event.payload.get("item")):
            return None
        self._announced.add(event.payload.get("output_index"))
        self._open.add(event.payload)
        return event

    def _on_item_done(self, event: Event) -> Event | None:
        index = event.payload.get("output_index")
        item: Any = event.payload.get("item")
        if not _is_item(item):
            return None
        self._open.end(index)
        index = index if isinstance(index, int) else len(self._items)
        if index in self._implicit:
            self._insert(*self._implicit.close(index, event.payload)[0][:-1])
        else:
            if not item.get("id") and index not in self._announced:
                item = {**item, "id": f"item_{index}"}
                self._ids.announce_made({"output_index": index, "item": item})
                event = Event({**event.payload, "item": item})
            if has_no_payload(item):
                item = self._given(item, self._open.payload_of(index, item))
                event = Event({**event.payload, "item": item})
            self._insert_missing(item, index, event)
        self._items[index] = item
        return event

    def _insert_missing(self, item: ResponsesItem, index: int, event: Event) -> None:
        """Insert the events of a finished *item* that the stream lacked, before *event* ends it."""
        is_announced = index in self._announced
        if is_announced and item.get("type") != "message":
            return
        self._announced.add(index)
        for made in build_item_events(item, index, event.payload.get("sequence_number")):
            part = index, made.payload.get("content_index")
            if made.type == "response.output_item.added":
                is_missing = not is_announced
            elif made.type == "response.content_part.added":
                is_missing = made.payload not in self._seen and part not in self._parts
            else:
                is_missing = "content_index" not in made.payload or made.payload not in self._seen
            if is_missing:
                self._insert(made)

    def _on_finished(self, event: Event) -> Event:
        self._ended = True
        response = event.payload.get("response")
        for index in self._implicit.indexes():
            events, self._items[index] = self._implicit.close(index, event.payload)
            self._insert(*events)
        output = response.get("output") if isinstance(response, dict) else None
        if isinstance(response, dict) and isinstance(output, list):
            named = self._ids.with_announced(output)
            if any(map(has_no_payload, named)):
                named = [self._with_payload(item) for item in named]
            if named is not output:
                output, response = named, {**response, "output": named}
                event = Event({**event.payload, "response": response})
        for index, events in self._open.finish(event.payload, output):
            item = self._items[index] = events[-1].payload["item"]
            self._insert(*events)
            self._has_cut_call |= has_cut_arguments(item)
        if not isinstance(response, dict):
            return event
        if event.type == "response.completed" and self._has_cut_call:
            response = {**response, **CUT}
            event = Event({**event.payload, "type": "response.incomplete", "response": response})
        if not output and self._items:
            output = [self._items[index] for index in sorted(self._items)]
            return Event({**event.payload, "response": {**response, "output": output}})
        if not isinstance(output, list):
            return Event({**event.payload, "response": {**response, "output": []}})
        if output and not self._items and not self._announced and not self._seen:
            for index, item in enumerate(output):
                done = {"type": "response.output_item.done", "output_index": index, "item": item}
                done["sequence_number"] = event.payload.get("sequence_number")
                self._insert_missing(item, index, event)
                self._insert(Event(done))
        return event

    def _with_payload(self, item: Any) -> Any:
        """Return *item* of the final output; a call without a payload gets the streamed one."""
        if not has_no_payload(item):
            return item
        streamed = (other for other in self._items.values() if other.get("id") == item.get("id"))
        return self._given(item, next(map(_payload_of, streamed), "") or self._open.text_of(item))

    def _given(self, item: Any, text: str) -> Any:
        """Return *item*, a call without a payload, with the streamed *text* as its payload."""
        if not text and not lacks_payload(item):
            return item
        item = repaired_item(with_payload(item, text))
        self._has_cut_call |= has_cut_arguments(item)
        return item


def _payload_of(item: Any) -> str:
    text = item.get(PAYLOAD_KEYS[item["type"]]) if item["type"] in PAYLOAD_KEYS else None
    return text if isinstance(text, str) else ""


def _is_item(item: Any) -> bool:
    """Return whether *item* is an item of output; other values have no meaning and are left out."""
    return type(item) is dict and type(item.get("type")) is str


def _text_of(part: Any) -> str | None:
    """Return the text of *part*, None if it is not a part of a message."""
    if not isinstance(part, dict) or part.get("type") not in ("output_text", "refusal"):
        return None
    text = part.get(PARTS[part["type"]][1])
    return text if isinstance(text, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else -1


_HANDLERS: dict[str, Callable[[ResponsesPassThrough, Event], Event | None]] = {
    **dict.fromkeys(KINDS, ResponsesPassThrough._on_delta),
    **{f"{prefix}.delta": ResponsesPassThrough._on_call_delta for prefix, _ in CALLS.values()},
    **{f"{prefix}.done": ResponsesPassThrough._on_call_done for prefix, _ in CALLS.values()},
    "response.output_text.done": ResponsesPassThrough._on_text_done,
    "response.refusal.done": ResponsesPassThrough._on_text_done,
    "response.content_part.added": ResponsesPassThrough._on_part_added,
    "response.content_part.done": ResponsesPassThrough._on_part_done,
    "response.output_item.added": ResponsesPassThrough._on_item_added,
    "response.output_item.done": ResponsesPassThrough._on_item_done,
    "response.completed": ResponsesPassThrough._on_finished,
    "response.incomplete": ResponsesPassThrough._on_finished,
}

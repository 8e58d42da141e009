"""Responses events for a Responses client: passed on as they came, with gaps filled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.streaming.events import DONE, Event
from app.streaming.responses_wire import ALIASES
from app.translation.parts_seen import PartsSeen
from app.translation.responses_gaps import created, delta_for, item_events

Payload = dict[str, Any]

HELD_EVENTS = 64  # kept back while the stream has not said which response it tells of
FAILURES = ("response.failed", "error")  # the edge writes them


class ResponsesPassThrough:
    """
    Passes events on in upstream order, and repairs what strict clients trip over:

    - `response.created` comes first, made from the first event with a response;
    - text that only a snapshot holds gets a delta before it;
    - an empty `output` of the finished response is filled from the items streamed;
    - the ChatGPT backend's own `codex.*` events stay here unless kept on request.
    """

    def __init__(self, keep_codex_events: bool = False) -> None:
        self._keep_codex_events = keep_codex_events
        self._begun = self._ended = False
        self._held: list[Event] = []
        self._seen = PartsSeen()
        self._announced: set[Any] = set()  # output indexes
        self._items: dict[int, Payload] = {}  # finished, by output index
        self._out: list[Event] = []

    def feed(self, events: list[Event]) -> list[Event]:
        for event in events:
            if not self._ended and event is not DONE:
                self._event(event)
        out, self._out = self._out, []
        return out

    def end(self) -> list[Event]:
        held, self._held = self._held, []
        return held

    def _event(self, event: Event) -> None:
        kind = event.type
        if kind in ALIASES:
            kind = ALIASES[kind]
            event = Event({**event.payload, "type": kind})
        if kind in FAILURES or (kind.startswith("codex.") and not self._keep_codex_events):
            return
        if not self._begun and not self._begin(event):
            return
        on = _ON.get(kind)
        if on is not None:
            event = on(self, event)
        self._out.append(event)

    def _begin(self, event: Event) -> bool:
        """Return whether *event* may go out now; see that `response.created` went before it."""
        response = event.payload.get("response")
        if event.type != "response.created":
            if not isinstance(response, dict) and len(self._held) < HELD_EVENTS:
                self._held.append(event)
                return False
            if isinstance(response, dict):
                self._out.append(created(response, event.payload))
        self._begun = True
        held, self._held = self._held, []
        for earlier in held:
            self._event(earlier)
        return True

    def _delta(self, event: Event) -> Event:
        self._seen.add(event.payload)
        return event

    def _whole(self, event: Event) -> Event:
        """See that a part told whole was told by delta as well."""
        if event.payload not in self._seen:
            delta = delta_for(event.payload)
            if delta is not None:
                self._seen.add(event.payload)
                self._out.append(delta)
        return event

    def _item_added(self, event: Event) -> Event:
        self._announced.add(event.payload.get("output_index"))
        return event

    def _item_done(self, event: Event) -> Event:
        index, item = event.payload.get("output_index"), event.payload.get("item")
        if isinstance(item, dict):
            index = index if isinstance(index, int) else len(self._items)
            self._items[index] = item
            self._tell(item, index, event)
        return event

    def _tell(self, item: Payload, index: int, event: Event) -> None:
        """Send what the stream has left out of a finished *item*, before *event* ends it."""
        announced = index in self._announced
        if announced and item.get("type") != "message":
            return
        self._announced.add(index)
        untold = item_events(item, index, event.payload.get("sequence_number"))
        told = any(one.payload in self._seen for one in untold if one.type.endswith(".delta"))
        self._out += untold[int(announced) : 1 if told else None]

    def _finished(self, event: Event) -> Event:
        self._ended = True
        response = event.payload.get("response")
        if not isinstance(response, dict):
            return event
        output = response.get("output")
        if not output and self._items:
            output = [self._items[index] for index in sorted(self._items)]
            return Event({**event.payload, "response": {**response, "output": output}})
        if output and not self._items and not self._announced and not self._seen:
            for index, item in enumerate(output):
                done = {"type": "response.output_item.done", "output_index": index, "item": item}
                done["sequence_number"] = event.payload.get("sequence_number")
                self._tell(item, index, event)
                self._out.append(Event(done))
        return event


_ON: dict[str, Callable[[ResponsesPassThrough, Event], Event]] = {
    "response.output_text.delta": ResponsesPassThrough._delta,
    "response.refusal.delta": ResponsesPassThrough._delta,
    "response.output_text.done": ResponsesPassThrough._whole,
    "response.refusal.done": ResponsesPassThrough._whole,
    "response.output_item.added": ResponsesPassThrough._item_added,
    "response.output_item.done": ResponsesPassThrough._item_done,
    "response.completed": ResponsesPassThrough._finished,
    "response.incomplete": ResponsesPassThrough._finished,
}

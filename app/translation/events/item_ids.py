"""
The places of output items: their indexes and ids, and the indexes of their parts.

Some servers send another `item_id` with deltas than with the item, make a new id for each event, or leave it
out, and the same with `content_index` and `output_index`. Two calls may have one `call_id`. Clients join
events by these, and fail on unknown ones. So all events of an item get the id that was announced.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from app.streaming.events import Event
from app.translation.events.response_items import CALLS, PARTS

Payload = dict[str, Any]

ADDED = "response.output_item.added"
DONE = "response.output_item.done"
PART_ADDED = "response.content_part.added"
# The events that have a content_index
_OF_PARTS = ("response.content_part.", *(f"{prefix}." for prefix, _ in PARTS.values()))
# The events that have an output_index; those of other items are passed on without it.
PLACED = frozenset(
    (
        *(ADDED, DONE, PART_ADDED, "response.content_part.done", "response.output_text.annotation.added"),
        *(
            f"{prefix}.{step}"
            for prefix, _ in (*PARTS.values(), *CALLS.values())
            for step in ("delta", "done")
        ),
    )
)


class ItemIds:
    """The announced items of one response."""

    def __init__(self) -> None:
        self._announced: dict[int, Payload] = {}  # items, by output index
        self._made: set[int] = set()  # output indexes of items that the gateway announced
        self._indexes: dict[str, int] = {}  # output indexes, by item id
        self._next = 0  # output index of the next item without one
        self._current: int | None = None  # output index of the item that was begun last, until it ends
        self._parts: dict[int, tuple[int, bool]] = {}  # (number of the last part, whether it has ended)
        self._calls: dict[str, tuple[int, str]] = {}  # (output index, item id) by call id
        self._renamed: set[int] = set()  # output indexes of calls whose call_id was that of another call

    def with_place(self, payload: Payload) -> Payload:
        """Return the *payload* of one of `PLACED` with the indexes it lacks, unchanged if it has them."""
        if type(payload.get("output_index")) is not int:
            return self.placed(Event(payload)).payload
        if "item" not in payload and type(payload.get("content_index")) is not int:
            return self.repaired(Event(payload)).payload
        return payload

    def placed(self, event: Event) -> Event:
        """Return *event*, one of `PLACED` without an output index, with an index and the announced id."""
        payload, item = event.payload, event.payload.get("item")
        item_id = item.get("id") if type(item) is dict else payload.get("item_id")
        index = self._indexes.get(item_id) if type(item_id) is str and event.type != ADDED else None
        if index is None:
            index = self._current
            if index is None or event.type == ADDED or self._is_other(index, item):
                index = self._next
                self._next += 1
                if event.type != DONE:
                    self._current = index
            if type(item_id) is str and (type(item) is dict or index not in self._announced):
                self._indexes.setdefault(item_id, index)
        return self.repaired(Event({**payload, "output_index": index}))

    def _is_other(self, index: int, item: Any) -> bool:
        """Return whether the finished *item* is a different one from that announced at *index*."""
        announced = self._announced.get(index)
        return announced is not None and type(item) is dict and item.get("type") != announced.get("type")

    def repaired(self, event: Event) -> Event:
        """Return *event*, which has an output index, with the announced id; itself if it has that id."""
        payload = event.payload
        index, item = payload["output_index"], payload.get("item")
        if event.type == ADDED:
            return self._announce(event, index, item)
        announced = self._announced.get(index)
        if type(item) is dict:
            return self._finished(event, index, item, announced)
        has_place = type(payload.get("content_index")) is int or not event.type.startswith(_OF_PARTS)
        if has_place and (announced is None or payload.get("item_id") == announced["id"]):
            return event
        place: Payload = {} if has_place else {"content_index": self._content_index(index, event.type)}
        if announced is not None:
            place["item_id"] = announced["id"]
        return Event({**payload, **place})

    def announce_made(self, added: Payload) -> None:
        """Remember the item of an *added* event that the upstream did not send."""
        index, item = added["output_index"], added["item"]
        if item.get("id"):
            self._announced[index] = item
            self._indexes[item["id"]] = index
        self._made.add(index)
        self._begin(index)

    def note_part(self, index: Any, content_index: Any) -> None:
        """Remember a part that was announced."""
        if type(index) is int and type(content_index) is int:
            self._parts[index] = content_index, False

    def with_announced(self, output: list[Any]) -> list[Any]:
        """Return the final *output* with the announced ids; the same list if it already has them."""
        changed = {
            index: _named(announced, output[index])
            for index, announced in self._announced.items()
            if index < len(output)
            and type(output[index]) is dict
            and not self._has_its_id(index, announced, output[index])
        }
        return [changed.get(index, item) for index, item in enumerate(output)] if changed else output

    def _announce(self, event: Event, index: int, item: Any) -> Event:
        if type(item) is not dict or index in self._made:
            return event
        self._begin(index)
        event = self._with_own_call_id(event, index, item)
        item = event.payload["item"]
        if item.get("id") and isinstance(item["id"], str):
            self._announced[index] = item
            self._indexes[item["id"]] = index
        return event

    def _begin(self, index: int) -> None:
        self._current = index
        self._next = max(self._next, index + 1)

    def _finished(self, event: Event, index: int, item: Payload, announced: Payload | None) -> Event:
        if self._current == index:
            self._current = None
        self._next = max(self._next, index + 1)
        if announced is None:
            return self._with_own_call_id(event, index, item)
        if self._has_its_id(index, announced, item):
            return event
        return Event({**event.payload, "item": _named(announced, item)})

    def _with_own_call_id(self, event: Event, index: int, item: Payload) -> Event:
        """Return *event* with the item's id as `call_id`, if an earlier call has the same `call_id`."""
        call_id, item_id = item.get("call_id"), item.get("id")
        if type(call_id) is not str or type(item_id) is not str or item.get("type") not in tuple(CALLS):
            return event
        owner_index, owner_id = self._calls.setdefault(call_id, (index, item_id))
        if index == owner_index or item_id == owner_id:
            return event
        self._renamed.add(index)
        return Event({**event.payload, "item": {**item, "call_id": item_id}})

    def _content_index(self, index: int, kind: str) -> int:
        """Return the content index for an event of *kind* that has none."""
        is_text = kind == PART_ADDED or kind.endswith((".delta", ".done"))
        number, has_ended = self._parts.get(index, (-1, True))
        if number < 0 or kind == PART_ADDED or (has_ended and kind.endswith(".delta")):
            number += 1
        self._parts[index] = number, kind.endswith(".done") if is_text else has_ended
        return number

    def _has_its_id(self, index: int, announced: Payload, item: Payload) -> bool:
        """
        Return whether *item* has the *announced* id, or is another item than the one announced.

        Some servers use an index again, or order the final output in another way.
        """
        given = item.get("id")
        if given == announced["id"]:
            return index not in self._renamed or item.get("call_id") == announced["call_id"]
        if item.get("type") != announced.get("type"):
            return True
        return any(given == other["id"] for other in self._announced.values())


def _named(announced: Payload, item: Payload) -> Payload:
    named = {**item, "id": announced["id"]}
    if announced.get("call_id") and item.get("type") in tuple(CALLS):
        named["call_id"] = announced["call_id"]
    return named

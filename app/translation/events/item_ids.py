"""
The ids of output items: the announced id of an item is that of all its events.

Some servers send another `item_id` with deltas than with the item, make a new id for each event, or leave it
out, and the same with `content_index`. Clients join events by these, and fail on what they do not know.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from app.streaming.events import Event
from app.translation.events.response_items import PARTS

Payload = dict[str, Any]

ADDED = "response.output_item.added"
# The events that have a content_index
_OF_PARTS = ("response.content_part.", *(f"{prefix}." for prefix, _ in PARTS.values()))


class ItemIds:
    """The announced ids of one response's items."""

    def __init__(self) -> None:
        self._announced: dict[int, Payload] = {}  # items, by output index

    def repaired(self, event: Event) -> Event:
        """Return *event*, which has an output index, with the announced id; the same if it has that."""
        payload = event.payload
        index, item = payload["output_index"], payload.get("item")
        if type(index) is not int:
            return event
        if event.type == ADDED:
            if type(item) is dict and item.get("id") and isinstance(item["id"], str):
                self._announced[index] = item
            return event
        announced = self._announced.get(index)
        if announced is None:
            return event
        if type(item) is dict:
            if self._has_its_id(announced, item):
                return event
            return Event({**payload, "item": _named(announced, item)})
        has_place = type(payload.get("content_index")) is int or not event.type.startswith(_OF_PARTS)
        if has_place and payload.get("item_id") == announced["id"]:
            return event
        place = {} if has_place else {"content_index": 0}
        return Event({**payload, "item_id": announced["id"], **place})

    def with_announced(self, output: list[Any]) -> list[Any]:
        """Return the final *output* with the announced ids; the same list if it has them."""
        changed = {
            index: _named(announced, output[index])
            for index, announced in self._announced.items()
            if index < len(output)
            and type(output[index]) is dict
            and not self._has_its_id(announced, output[index])
        }
        return [changed.get(index, item) for index, item in enumerate(output)] if changed else output

    def _has_its_id(self, announced: Payload, item: Payload) -> bool:
        """
        Return whether *item* has the *announced* id, or is another item than the one announced.

        Some servers use an index again, or order the final output in another way.
        """
        given = item.get("id")
        if given == announced["id"] or item.get("type") != announced.get("type"):
            return True
        return any(given == other["id"] for other in self._announced.values())


def _named(announced: Payload, item: Payload) -> Payload:
    return {**item, "id": announced["id"]}

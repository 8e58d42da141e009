"""The tool calls of one answer, however its events refer to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]


@dataclass(slots=True)
class CallSlot:
    """One call. `index` counts from 0 in order of first sight; it is not the output index."""

    index: int
    call_id: str
    name: str
    custom: bool
    announced: bool = False
    sent: list[str] = field(default_factory=list)  # pieces of its arguments or input


class CallSlots:
    """Finds a call by call id, item id or output index, whichever an event has."""

    def __init__(self) -> None:
        self._slots: list[CallSlot] = []
        self._by_name: dict[Any, CallSlot] = {}

    def __iter__(self) -> Iterator[CallSlot]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def open(self, item: Payload, output_index: Any) -> CallSlot:
        """
        Return the slot of a call's *item*, a new one at first sight.

        A call id alone decides where there is one: the same name, or the same output
        index sent for two calls, does not make them one.
        """
        call_id, item_id = item.get("call_id"), item.get("id") or item.get("item_id")
        known = self._found(call_id) if call_id else self._found(item_id, output_index)
        slot = known or self._new(item, call_id or item_id)
        for name in (slot.call_id, item_id, output_index):
            if isinstance(name, str | int):  # an upstream may send a list
                self._by_name[name] = slot
        return slot

    def _new(self, item: Payload, call_id: str | None) -> CallSlot:
        index = len(self._slots)
        custom = item.get("type") == "custom_tool_call"
        slot = CallSlot(index, call_id or f"call_{index}", item.get("name") or "", custom)
        self._slots.append(slot)
        return slot

    def find(self, event: Payload) -> CallSlot | None:
        """Return the call that an event is about, None if it was never opened."""
        return self._found(event.get("call_id"), event.get("item_id"), event.get("output_index"))

    def _found(self, *names: Any) -> CallSlot | None:
        for name in names:
            if isinstance(name, str | int) and name in self._by_name:
                return self._by_name[name]
        return None

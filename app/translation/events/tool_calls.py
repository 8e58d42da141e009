"""The tool calls of one answer, however its events refer to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]


@dataclass(slots=True)
class ToolCall:
    """One call. `index` counts from 0 in order of first sight; it is not the output index."""

    index: int
    call_id: str
    name: str
    custom: bool
    announced: bool = False
    sent: list[str] = field(default_factory=list)  # pieces of its arguments or input


class ToolCalls:
    """Finds a call by call id, item id or output index, whichever an event has."""

    def __init__(self) -> None:
        self._slots: list[ToolCall] = []
        self._by_id: dict[Any, ToolCall] = {}

    def __iter__(self) -> Iterator[ToolCall]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def open(self, item: Payload, output_index: Any) -> ToolCall:
        """
        Return the slot of a call's *item*, a new one at first sight.

        A call id alone decides where there is one: the same name, or the same output
        index sent for two calls, does not make them one.
        """
        call_id, item_id = item.get("call_id"), item.get("id") or item.get("item_id")
        known = self._lookup(call_id) if call_id else self._lookup(item_id, output_index)
        slot = known or self._new(item, call_id or item_id)
        for name in (slot.call_id, item_id, output_index):
            if isinstance(name, str | int):  # an upstream may send a list
                self._by_id[name] = slot
        return slot

    def _new(self, item: Payload, call_id: str | None) -> ToolCall:
        index = len(self._slots)
        custom = item.get("type") == "custom_tool_call"
        slot = ToolCall(index, call_id or f"call_{index}", item.get("name") or "", custom)
        self._slots.append(slot)
        return slot

    def find(self, event: Payload) -> ToolCall | None:
        """Return the call that an event is about, None if it was never opened."""
        return self._lookup(event.get("call_id"), event.get("item_id"), event.get("output_index"))

    def _lookup(self, *ids: Any) -> ToolCall | None:
        for name in ids:
            if isinstance(name, str | int) and name in self._by_id:
                return self._by_id[name]
        return None

"""The tool calls of one answer, looked up by any id that an event has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]


@dataclass(slots=True)
class ToolCall:
    """One call. `index` counts calls from 0 in order of appearance; it is not the output index."""

    index: int
    call_id: str
    name: str
    custom: bool
    announced: bool = False
    sent: list[str] = field(default_factory=list)  # pieces of its arguments or input


class ToolCalls:
    """Calls by call id, item id and output index."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._by_id: dict[Any, ToolCall] = {}

    def __iter__(self) -> Iterator[ToolCall]:
        return iter(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def open(self, item: Payload, output_index: Any) -> ToolCall:
        """
        Return the call of *item*, creating it if it is new.

        If the item has a call id, only that identifies it: upstreams may send the same name
        or output index for two calls.
        """
        call_id, item_id = item.get("call_id"), item.get("id") or item.get("item_id")
        known = self._lookup(call_id) if call_id else self._lookup(item_id, output_index)
        call = known or self._new(item, call_id or item_id)
        for key in (call.call_id, item_id, output_index):
            if isinstance(key, str | int):  # an upstream may send a list
                self._by_id[key] = call
        return call

    def _new(self, item: Payload, call_id: str | None) -> ToolCall:
        index = len(self._calls)
        custom = item.get("type") == "custom_tool_call"
        call = ToolCall(index, call_id or f"call_{index}", item.get("name") or "", custom)
        self._calls.append(call)
        return call

    def find(self, event: Payload) -> ToolCall | None:
        """Return the call that *event* refers to, None if it is unknown."""
        return self._lookup(event.get("call_id"), event.get("item_id"), event.get("output_index"))

    def _lookup(self, *ids: Any) -> ToolCall | None:
        for key in ids:
            if isinstance(key, str | int) and key in self._by_id:
                return self._by_id[key]
        return None

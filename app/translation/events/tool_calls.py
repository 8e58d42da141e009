"""The tool calls of one response, looked up by any id that an event has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]


@dataclass(slots=True)
class ToolCall:
    """One call. `index` counts announced calls from 0; it is not the output index."""

    call_id: str
    name: str
    custom: bool
    item_id: Any = None
    output_index: Any = None
    has_own_id: bool = True  # whether `call_id` came from the upstream
    index: int = -1  # -1 until it is announced
    sent: list[str] = field(default_factory=list)  # pieces of its arguments or input
    given: str = ""  # arguments or input in the first event of its item

    @property
    def announced(self) -> bool:
        return self.index >= 0


class ToolCalls:
    """Calls by call id, item id and output index."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._by_id: dict[Any, ToolCall] = {}
        self._announced = 0

    def __iter__(self) -> Iterator[ToolCall]:
        return iter(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def open(self, item: Payload, output_index: Any) -> ToolCall:
        """
        Return the call of *item*, creating it if it is new.

        A call id identifies a call: upstreams may send the same name or output index for two. A
        call that was announced without one may get it later, and two items may have the same.
        """
        call_id, item_id = item.get("call_id"), item.get("id") or item.get("item_id")
        call = self._lookup(call_id) if call_id else self._lookup(item_id, output_index)
        if call is None and call_id:
            unnamed = self._lookup(item_id, output_index)
            call = unnamed if unnamed is not None and not unnamed.has_own_id else None
        elif call is not None and call_id and _differ(call, item_id, output_index):
            call = self._lookup(item_id) or self._new(item, None, output_index)
        if call is None:
            call = self._new(item, call_id, output_index)
        call.has_own_id = call.has_own_id or bool(call_id)
        for key in (call.call_id, call_id, item_id, output_index):
            if isinstance(key, str | int):  # an upstream may send a list
                self._by_id.setdefault(key, call)
        for key in (item_id, output_index):
            if isinstance(key, str | int):
                self._by_id[key] = call
        return call

    def announce(self, call: ToolCall) -> None:
        """Give *call* the next index."""
        call.index = self._announced
        self._announced += 1

    def _new(self, item: Payload, call_id: str | None, output_index: Any) -> ToolCall:
        item_id = item.get("id") or item.get("item_id")
        custom = item.get("type") == "custom_tool_call"
        made_id = call_id or item_id or f"call_{len(self._calls)}"
        call = ToolCall(made_id, item.get("name") or "", custom, item_id, output_index, bool(call_id))
        given = item.get("input" if custom else "arguments")
        call.given = given if isinstance(given, str) else ""
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


def _differ(call: ToolCall, item_id: Any, output_index: Any) -> bool:
    """Return whether an item with the call id of *call* is another call: both positions differ."""
    known = (call.item_id, item_id, call.output_index, output_index)
    return None not in known and call.item_id != item_id and call.output_index != output_index

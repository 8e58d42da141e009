"""The calls in the Responses events of one response, as deltas of chat chunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.streaming.tool_arguments import is_cut
from app.translation.events.item_ids import ItemIds
from app.translation.events.tool_calls import ToolCall, ToolCalls

Payload = dict[str, Any]

CALL_TYPES = ("function_call", "custom_tool_call")


class CallChunks:
    """
    Sends each call once: its start, then its arguments as they arrive; a custom call when it is complete.

    *send* takes a delta. With *legacy_functions* the first call is a `function_call`.
    """

    def __init__(
        self, ids: ItemIds, send: Callable[[Payload], None], *, legacy_functions: bool = False
    ) -> None:
        self._ids = ids
        self._send = send
        self._legacy = legacy_functions
        self._calls = ToolCalls()

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def finish_reason(self) -> str:
        """The finish reason of a response that ends with calls."""
        return "function_call" if self._legacy else "tool_calls"

    @property
    def has_cut_call(self) -> bool:
        """Whether a function call was sent that ends inside its arguments."""
        return any(not call.custom and is_cut("".join(call.sent)) for call in self._calls)

    def begin(self, item: Payload, output_index: Any) -> None:
        """Send the start of the call *item*."""
        self._announce(self._calls.open(item, output_index))

    def add_arguments(self, payload: Payload) -> None:
        """Send the piece of arguments or input in the event *payload*."""
        call, delta = self._call_of(payload), payload.get("delta")
        if call is not None and delta and isinstance(delta, str):
            call.sent.append(delta)
            if not call.custom:
                self._send_call(call, {"arguments": delta})

    def add_preview(self, payload: Payload) -> None:
        """Send what an event of a preview has: the name of its call, and a piece of the arguments."""
        self._announce(self._calls.open(payload, payload.get("output_index")))
        piece = payload.get("arguments") if "arguments" in payload else payload.get("delta")
        self.add_arguments({**payload, "delta": piece})

    def complete_arguments(self, payload: Payload) -> None:
        """Send what was not sent of the complete arguments or input in the event *payload*."""
        call = self._call_of(payload)
        if call is not None:
            self._send_rest(call, payload.get("input" if call.custom else "arguments"))

    def complete(self, item: Payload, output_index: Any) -> None:
        """Send what was not sent of the complete call *item*."""
        call = self._calls.open(item, output_index)
        arguments = item.get("input" if call.custom else "arguments")
        self._announce(call, arguments)
        self._send_rest(call, arguments)

    def complete_all(self) -> None:
        """Send what was not sent of calls that only their first event contained."""
        for call in self._calls:
            if call.custom or not any(call.sent):
                self._send_rest(call, call.given or "".join(call.sent))

    def _call_of(self, payload: Payload) -> ToolCall | None:
        """Return the call that *payload* refers to; without any id it is the one that began last."""
        call = self._calls.find(payload)
        if call is None and type(payload.get("output_index")) is not int:
            call = self._calls.find(self._ids.with_place(payload))
        return call

    def _announce(self, call: ToolCall, arguments: Any = "") -> None:
        """Send the start of a call once; a custom call waits until its input is complete."""
        if not call.announced and not call.custom:
            self._calls.announce(call)
            call.sent.append(arguments if isinstance(arguments, str) else "")
            function = {"name": call.name, "arguments": call.sent[0]}
            self._send_call(call, function, id=call.call_id, type="function")

    def _send_call(self, call: ToolCall, function: Payload, **head: str) -> None:
        if self._legacy and call.index == 0:  # a message has at most one `function_call`
            self._send({"function_call": function})
        else:
            index = call.index - self._legacy
            self._send({"tool_calls": [{"index": index, **head, "function": function}]})

    def _send_rest(self, call: ToolCall, arguments: Any) -> None:
        """Send the rest of *arguments*, if they begin with what was sent."""
        sent = "".join(call.sent)
        if call.custom:
            self._send_custom(call, arguments if isinstance(arguments, str) else sent)
        elif isinstance(arguments, str) and len(arguments) > len(sent) and arguments.startswith(sent):
            call.sent = [arguments]
            self._send_call(call, {"arguments": arguments[len(sent) :]})

    def _send_custom(self, call: ToolCall, text: str) -> None:
        if not call.announced:
            self._calls.announce(call)
            head = {"index": call.index, "id": call.call_id, "type": "custom"}
            self._send({"tool_calls": [{**head, "custom": {"name": call.name, "input": text}}]})

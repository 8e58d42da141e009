"""
Calls of functions that represent a custom tool or `local_shell`.

Their arguments are JSON that is readable only when it is complete, so the client receives the call's
text, or its action, at the end of the call.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from app.openai_types.responses import ResponsesEvent, ResponsesItem
from app.translation.events.response_items import OpenCall, item_event
from app.translation.requests.function_calls import custom_input, shell_action


class OpenCustomCall(OpenCall):
    """A custom call; its payload is the arguments of a function call until it closes."""

    def announce(self) -> list[ResponsesEvent]:
        return [item_event("added", self._position, {**self._head, "input": "", "status": "in_progress"})]

    def add_payload(self, delta: str) -> list[ResponsesEvent]:
        self._pieces.append(delta)
        return []

    def close(self, status: str) -> tuple[list[ResponsesEvent], ResponsesItem]:
        """Return (the input as one delta with the last events of this item, the complete item)."""
        text = custom_input("".join(self._pieces))
        self._pieces = []
        events = super().add_payload(text) if text else []
        last, item = super().close(status)
        return [*events, *last], item


class OpenShellCall(OpenCall):
    """A `local_shell` call; it becomes a function call if its arguments are not an action."""

    def __init__(self, item_id: str, output_index: int, item: ResponsesItem) -> None:
        super().__init__(item_id, output_index, {**item, "type": "function_call", "name": "local_shell"})
        self._shell_head: ResponsesItem = {"id": item_id, **item}

    def announce(self) -> list[ResponsesEvent]:
        return []

    def add_payload(self, delta: str) -> list[ResponsesEvent]:
        self._pieces.append(delta)
        return []

    def close(self, status: str) -> tuple[list[ResponsesEvent], ResponsesItem]:
        """Return (all events of this item, the complete item)."""
        arguments = "".join(self._pieces)
        action = shell_action(arguments)
        if action is None:
            self._pieces = []
            added = super().announce()
            deltas = super().add_payload(arguments) if arguments else []
            last, item = super().close(status)
            return [*added, *deltas, *last], item
        item = {**self._shell_head, "action": action, "status": status}
        added_item: ResponsesItem = {**item, "status": "in_progress"}
        return [
            item_event("added", self._position, added_item),
            item_event("done", self._position, item),
        ], item

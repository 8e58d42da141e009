"""
Fold the events of a Responses stream into one `response`.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from typing import Any

from app.errors import StreamIncomplete
from app.openai_types.responses import ResponsesItem
from app.streaming.partial_items import CONTENT_EVENTS, OpenItem
from app.streaming.responses_protocol import FINISHES, event_type


class ResponsesFold:
    """
    Folds one stream, whose terminal event has the response.

    The ChatGPT backend omits the output in that event. Then the output consists of the finished items,
    in the order of their `output_index`, and of the unfinished ones.
    """

    def __init__(self) -> None:
        self._finished: dict[int, ResponsesItem] = {}
        self._open: dict[int, OpenItem] = {}
        self._response: dict[str, Any] | None = None

    def add_event(self, payload: dict[str, Any]) -> None:
        """Add one event, which is not changed."""
        kind = event_type(payload)
        if kind in FINISHES and self._response is None:
            response = payload.get("response")
            self._response = response if isinstance(response, dict) else {}
            return
        index = payload.get("output_index")
        item: ResponsesItem | None = payload.get("item")
        if type(index) is not int:
            index = len(self._finished)  # without indexes, items come one after the other
        if kind == "response.output_item.done" and isinstance(item, dict):
            self._finished[index] = item
        elif kind == "response.output_item.added" and isinstance(item, dict):
            self._open[index] = OpenItem(item)
        elif kind in CONTENT_EVENTS:
            # A message without `output_item.added`
            if index not in self._open and "content_index" in payload:
                self._open[index] = OpenItem(
                    {"type": "message", "role": "assistant", "id": payload.get("item_id")}
                )
            if index in self._open:
                self._open[index].add_content(kind, payload)

    def result(self) -> dict[str, Any]:
        """Return the `response`. Raises StreamIncomplete if the stream had no terminal event."""
        if self._response is None:
            raise StreamIncomplete("The upstream's stream ended before its response was complete")
        return {
            "object": "response",
            "usage": None,
            "error": None,
            **self._response,
            "output": self._response.get("output") or self._streamed(),
        }

    def _streamed(self) -> list[ResponsesItem]:
        items = {index: item.result() for index, item in self._open.items()} | self._finished
        return [item for _, item in sorted(items.items()) if item is not None]

"""
Build unfinished output items from their deltas and snapshots.

For responses that were cut, and for backends that send no `output_item.done`.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any, Literal, cast

from app.openai_types.responses import ContentPart, ResponsesItem

_ItemField = Literal["arguments", "input"]
_PartField = Literal["text", "refusal"]

# Event name without `.delta` or `.done` -> (type of the content part, None for the item itself; its field).
_FIELDS: dict[str, tuple[str | None, _ItemField | _PartField]] = {
    "response.output_text": ("output_text", "text"),
    "response.refusal": ("refusal", "refusal"),
    "response.function_call_arguments": (None, "arguments"),
    "response.custom_tool_call_input": (None, "input"),
}
CONTENT_EVENTS = frozenset(f"{name}.{step}" for name in _FIELDS for step in ("delta", "done"))


class OpenItem:
    """An unfinished output item; *item* is its state in `output_item.added`."""

    def __init__(self, item: ResponsesItem) -> None:
        self._item = item
        self._texts: dict[tuple[int, str | None, _ItemField | _PartField], list[str]] = {}

    def add_content(self, kind: str, payload: dict[str, Any]) -> None:
        """Add one of `CONTENT_EVENTS`; a snapshot replaces the deltas before it."""
        name, _, step = kind.rpartition(".")
        part, field = _FIELDS[name]
        text = payload.get("delta" if step == "delta" else field)
        if isinstance(text, str):
            index = payload.get("content_index")
            texts = self._texts.setdefault((index if type(index) is int else 0, part, field), [])
            if step == "done":
                texts.clear()
            texts.append(text)

    def result(self) -> ResponsesItem | None:
        """Return the item, None if it has no content."""
        if not self._texts:
            return None
        item: ResponsesItem = {**self._item, "status": "incomplete"}
        content: list[ContentPart] = []
        for (_, part, field), texts in sorted(self._texts.items(), key=lambda entry: entry[0][0]):
            if part is None:
                item[cast(_ItemField, field)] = "".join(texts)
            else:
                content.append(cast("ContentPart", {"type": part, field: "".join(texts)}))
        return {**item, "content": content} if content else item

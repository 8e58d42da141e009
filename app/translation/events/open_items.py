"""
Output items that an upstream has announced and not ended.

Some servers end a response without ending its items. SDKs fail on that, and Codex ignores the
items; so they are ended before the response, with the text of their deltas.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from app.streaming.events import Event
from app.streaming.response_repair import INCOMPLETE
from app.streaming.tool_arguments import is_cut
from app.translation.events.response_items import CALLS, PARTS

Payload = dict[str, Any]
Position = tuple[Any, Any, str]  # output index, content index, prefix of the events

_KEYS = {prefix: (kind, key) for kind, (prefix, key) in PARTS.items()} | {
    prefix: ("", key) for prefix, key in CALLS.values()
}


class OpenItems:
    """The open items by output index; items without an index are not remembered."""

    def __init__(self) -> None:
        self._items: dict[int, Payload] = {}
        self._texts: dict[Position, list[Any]] = {}
        self._done_texts: dict[Position, Any] = {}
        self._done_parts: dict[tuple[Any, Any], Any] = {}

    def add(self, added: Payload) -> None:
        """Remember the item of an `output_item.added`."""
        index, item = added.get("output_index"), added.get("item")
        if type(index) is int and isinstance(item, dict):
            self._items[index] = item

    def end(self, index: Any) -> None:
        """Forget the item with this *index*: its upstream has ended it."""
        if type(index) is int:
            self._items.pop(index, None)

    def pieces(self, delta: Payload) -> list[Any]:
        """Return the pieces of the text that *delta* extends."""
        return self._texts.setdefault(_position(delta, ".delta"), [])

    def payload_of(self, index: Any, item: Payload) -> str:
        """Return the payload of *item*, a call, as it was streamed so far."""
        position = index, 0, CALLS[item["type"]][0]
        done = self._done_texts.get(position)
        if isinstance(done, str):
            return done
        return "".join(piece for piece in self._texts.get(position, ()) if isinstance(piece, str))

    def text_of(self, item: Payload) -> str:
        """Return the payload of *item*, a call that has not ended, as it was streamed so far."""
        indexes = (index for index, opened in self._items.items() if opened.get("id") == item.get("id"))
        return next((self.payload_of(index, item) for index in indexes), "")

    def note_done(self, done: Payload) -> None:
        """Remember that the upstream has ended a text."""
        position = _position(done, ".done")
        self._done_texts[position] = done.get(_KEYS[position[2]][1])

    def note_part_done(self, done: Payload) -> None:
        """Remember that the upstream has ended a part."""
        self._done_parts[done.get("output_index"), done.get("content_index", 0)] = done.get("part")

    def finish(self, terminal: Payload, output: Any) -> list[tuple[int, list[Event]]]:
        """
        Return (index, the events that end the item) for each open item.

        *output* is that of the response in the *terminal* event; its items are complete.
        """
        status = "incomplete" if terminal.get("type") == "response.incomplete" else "completed"
        number = terminal.get("sequence_number")
        final = {
            item["id"]: item
            for item in (output if isinstance(output, list) else ())
            if isinstance(item, dict) and isinstance(item.get("id"), str)
        }
        ended = []
        for index, item in sorted(self._items.items()):
            payloads, closed = self._close(index, item)
            known = final.get(item.get("id")) if isinstance(item.get("id"), str) else None
            payloads.append(
                {
                    "type": "response.output_item.done",
                    "output_index": index,
                    "item": known or {**item, **closed, "status": _status(status, closed)},
                }
            )
            ended.append((index, [Event({**payload, "sequence_number": number}) for payload in payloads]))
        return ended

    def _close(self, index: int, item: Payload) -> tuple[list[Payload], Payload]:
        """Return (the events that end the texts and parts of *item*, the fields that they complete)."""
        payloads: list[Payload] = []
        fields: Payload = {}
        content: list[Any] = []
        positions = self._texts.keys() | self._done_texts.keys()
        for position in sorted(
            (each for each in positions if each[0] == index), key=lambda each: (str(each[1]), each[2])
        ):
            _, content_index, prefix = position
            kind, key = _KEYS[prefix]
            text = self._done_texts.get(position)
            if not isinstance(text, str):
                text = "".join(piece for piece in self._texts.get(position, ()) if isinstance(piece, str))
            place = {"item_id": item.get("id"), "output_index": index}
            if kind:
                place["content_index"] = content_index
            extra: Payload = {"logprobs": []} if kind == "output_text" else {}
            if position not in self._done_texts:
                payloads.append({"type": prefix + ".done", **place, key: text, **extra})
            if not kind:
                fields[key] = text
                continue
            part = {"type": kind, key: text, **({"annotations": [], **extra} if extra else {})}
            if (index, content_index) not in self._done_parts:
                payloads.append({"type": "response.content_part.done", **place, "part": part})
            content.append(self._done_parts.get((index, content_index)) or part)
        if content:
            fields["content"] = content
        return payloads, fields


def _status(status: str, fields: Payload) -> str:
    """Return the status of an item with *fields*; it is incomplete if arguments were cut off."""
    return INCOMPLETE if is_cut(fields.get("arguments")) else status


def _position(event: Payload, suffix: str) -> Position:
    return (
        event.get("output_index"),
        event.get("content_index", 0),
        str(event["type"]).removesuffix(suffix),
    )

"""Events: the records that decoders, translators and encoders of streams exchange."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson


class Event:
    """
    One server-sent event.

    `payload` is the decoded object. `data` is its JSON exactly as received, on one line, so
    that an unchanged event is not encoded again; None for an event built here. To change a
    payload, make a new event, or change `data` in the same way.
    """

    __slots__ = ("data", "payload")

    def __init__(self, payload: Mapping[str, Any], data: bytes | None = None) -> None:
        self.payload: dict[str, Any] = payload  # type: ignore[assignment]  # a TypedDict is a dict
        self.data = data

    @property
    def type(self) -> str:
        """The `type` of a Responses event; `""` for a chat chunk."""
        kind = self.payload.get("type")
        return kind if isinstance(kind, str) else ""

    def encoded(self) -> bytes:
        """Return the JSON as one line of UTF-8."""
        return orjson.dumps(self.payload) if self.data is None else self.data

    def __repr__(self) -> str:
        return f"Event({self.type or 'chunk'})"  # without content, because a repr may be logged


class UnstreamedResponse(Event):
    """A complete `chat.completion` or `response`, which is the only event of its response."""

    __slots__ = ()


DONE = Event({}, b"[DONE]")  # the end of a chat stream; compared by identity
EventBatches = Iterator[list[Event] | None]  # None: a keep-alive is due

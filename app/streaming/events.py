"""The one thing that travels through a stream: a message that carried a JSON object."""

from __future__ import annotations

from typing import Any

import orjson


class Event:
    """
    One server-sent event.

    `payload` is the decoded object. `data` is its JSON exactly as it came, on one line,
    so that an event nobody changed is sent on without encoding it again; None for an
    event made or changed here. Whoever changes a payload makes a new event of it, or cuts the
    same out of both.
    """

    __slots__ = ("data", "payload")

    def __init__(self, payload: dict[str, Any], data: bytes | None = None) -> None:
        self.payload = payload
        self.data = data

    @property
    def type(self) -> str:
        """Return the `type` of a Responses event; a chat chunk has none: `""`."""
        kind = self.payload.get("type")
        return kind if isinstance(kind, str) else ""

    def encoded(self) -> bytes:
        """Return the JSON as one line of UTF-8."""
        return orjson.dumps(self.payload) if self.data is None else self.data

    def __repr__(self) -> str:
        return f"Event({self.type or 'chunk'})"  # never the content: reprs end up in logs


DONE = Event({}, b"[DONE]")  # the end of a chat stream; compared by identity

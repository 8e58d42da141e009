"""
Continue a cut stream with another account's response to the same request.

The client gets the rest of the new response only if that begins with exactly the delivered text;
the result looks like one response: one id, one role, no character repeated or missing. Content
that cannot be compared (a partial tool call, visible reasoning, a refusal) is not resumed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from app.errors import ResponsesDiffer
from app.streaming.events import Event
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS
from app.translation.resume.chat import ChatDelivered
from app.translation.resume.responses import ResponsesDelivered


class Delivered(Protocol):
    """The part of one streamed response that the client has received."""

    @property
    def resumable(self) -> bool: ...

    def record(self, events: list[Event]) -> None: ...

    def resume(self) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
        """Return a function that maps each payload of a new response to the one to deliver, or to None."""
        ...


def delivered_for(protocol: str) -> Delivered:
    return GuardedDelivered(ChatDelivered() if protocol == "chat" else ResponsesDelivered())


class GuardedDelivered:
    """Records delivered events; after a malformed event the stream is not resumable."""

    def __init__(self, delivered: Delivered) -> None:
        self._delivered = delivered
        self._is_understood = True

    @property
    def resumable(self) -> bool:
        return self._is_understood and self._delivered.resumable

    def record(self, events: list[Event]) -> None:
        try:
            self._delivered.record(events)
        except MALFORMED_EVENT_ERRORS:
            self._is_understood = False

    def resume(self) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
        return self._delivered.resume()


class ResumedStream:
    """Removes the delivered part from the events of a new response."""

    def __init__(self, delivered: Delivered) -> None:
        self._rest_of = delivered.resume()

    def skip_delivered(self, events: list[Event]) -> list[Event]:
        """Return the new part of *events*. Raises ResponsesDiffer if the responses differ."""
        try:
            rest = [self._rest_of(event.payload) for event in events]
        except ValueError:
            raise ResponsesDiffer(
                "The stream was cut, and another account's response did not begin with what was delivered"
            ) from None
        return [Event(payload) for payload in rest if payload is not None]

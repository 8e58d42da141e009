"""
Going on with a stream that was cut, with another account's answer to the same request.

Only if the new answer begins with exactly what was delivered does the client get the rest of
it; then it is one answer to it: one id, one role, no character twice and none missing. What
cannot be compared (a tool call half delivered, visible reasoning, a refusal) is not resumed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from app.errors import AnswersDiffer
from app.streaming.events import Event
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS
from app.translation.resume.chat import ChatDelivered
from app.translation.resume.responses import ResponsesDelivered


class Delivered(Protocol):
    """What a client has been given so far of one streamed answer."""

    @property
    def resumable(self) -> bool: ...

    def record(self, events: list[Event]) -> None: ...

    def resume(self) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
        """Return what makes of each payload of a new answer the one to deliver, or None."""
        ...


def delivered_for(protocol: str) -> Delivered:
    return GuardedDelivered(ChatDelivered() if protocol == "chat" else ResponsesDelivered())


class GuardedDelivered:
    """What was delivered; events that make no sense can be delivered, but not be gone on with."""

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
    """Turns the events of a new answer into the rest of the old one."""

    def __init__(self, delivered: Delivered) -> None:
        self._rest_of = delivered.resume()

    def skip_delivered(self, events: list[Event]) -> list[Event]:
        """Return what is new in *events*. Raises AnswersDiffer where the answers differ."""
        try:
            rest = [self._rest_of(event.payload) for event in events]
        except ValueError:
            raise AnswersDiffer(
                "The stream was cut, and another account's answer did not begin with what was delivered"
            ) from None
        return [Event(payload) for payload in rest if payload is not None]

"""
Limit the text of a response by bytes and stop sequences, for upstreams without such limits.

The unit is bytes, because the gateway cannot count a model's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.streaming.events import Event

LENGTH, STOP = "length", "stop"


class OutputLimiter:
    """
    Passes a response's text until its limit; then `cut` is the reason.

    The possible beginning of a stop sequence is held back until the next piece. The cut is
    between two characters, never within one.
    """

    def __init__(self, max_bytes: int | None = None, stops: tuple[str, ...] = ()) -> None:
        self.cut: str | None = None
        self.passes_all = max_bytes is None and not any(stops)
        self._left = max_bytes
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""

    def limit_text(self, piece: str) -> str:
        """Return the text that may be sent after the response's text grew by *piece*."""
        if not self._stops:
            return self.limit_other(piece)
        text, self._held = self._held + piece, ""
        ends = [(start + len(stop), start) for stop in self._stops if (start := text.find(stop)) >= 0]
        if ends:  # models stop at the sequence that is complete first
            shown = self.limit_other(text[: min(ends)[1]])
            self.cut = self.cut or STOP
            return shown
        keep = len(text) - max(_beginning_at_the_end(text, stop) for stop in self._stops)
        shown = self.limit_other(text[:keep])
        if self.cut is None:
            self._held = text[keep:]
        return shown

    def limit_other(self, piece: str) -> str:
        """
        Return the part of *piece* that may be sent.

        Its bytes count, but stop sequences do not apply to it.
        """
        if self._left is None:
            return piece
        encoded = piece.encode()
        if len(encoded) <= self._left:
            self._left -= len(encoded)
            return piece
        self.cut = LENGTH
        return encoded[: self._left].decode(errors="ignore")

    def release(self) -> str:
        """Return the text that was held back, because it was not a stop sequence."""
        text, self._held = self._held, ""
        return self.limit_other(text)


class OutputCap:
    """Passes the client's events; at the cut it adds the end of the response, then drops events."""

    def __init__(self, max_bytes: int | None, stops: tuple[str, ...] = ()) -> None:
        self._limiter = OutputLimiter(max_bytes, stops)
        self._out: list[Event] = []

    @property
    def cut(self) -> str | None:
        """The reason of the cut, "length" or "stop"; None before it."""
        return self._limiter.cut

    @property
    def passes_all(self) -> bool:
        """Whether no text is cut or held back before `cut_off`."""
        return self._limiter.passes_all

    def limit_events(self, events: list[Event]) -> list[Event]:
        """Return the events to send for *events*; none after the cut."""
        limiter, limit_event = self._limiter, self._limit_event
        for event in events:
            if limiter.cut is None:
                limit_event(event)
        out, self._out = self._out, []
        return out

    def cut_off(self, open_choices: Sequence[int]) -> list[Event]:
        """
        Return the events that end the response now, because the upstream's output is too long.

        *open_choices* are the indexes of the choices that have begun and have no finish reason.
        """
        self._limiter.cut = LENGTH
        self._end(open_choices)
        out, self._out = self._out, []
        return out

    def _end(self, open_choices: Sequence[int]) -> None:
        """Add the end of the response so far to `_out`."""
        raise NotImplementedError

    def _limit_event(self, event: Event) -> None:
        """Add to `_out` the part of *event* that may be sent, and the response's end if it is cut there."""
        raise NotImplementedError


def _beginning_at_the_end(text: str, stop: str) -> int:
    """
    Return how many of the last characters of *text* are the first characters of *stop*.

    Only positions of its first character are compared; the schema bounds its length.
    """
    position = text.find(stop[0], max(0, len(text) - len(stop) + 1))
    while position >= 0:
        if stop.startswith(text[position:]):
            return len(text) - position
        position = text.find(stop[0], position + 1)
    return 0

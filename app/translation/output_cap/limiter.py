"""
Where an answer has to end: the most bytes it may have, and the texts that stop it.

For upstreams that take no such limits; bytes, because nobody here can count a model's tokens.
"""

from __future__ import annotations

from app.streaming.events import Event

LENGTH, STOP = "length", "stop"


class OutputLimiter:
    """
    Lets an answer through until it has to end; then `cut` says why.

    What may be the beginning of a stop text is held back until the next piece shows what it
    was. The end is between two characters, never within one.
    """

    def __init__(self, max_bytes: int | None = None, stops: tuple[str, ...] = ()) -> None:
        self.cut: str | None = None
        self.passes_all = max_bytes is None and not any(stops)
        self._left = max_bytes
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""

    def limit_text(self, piece: str) -> str:
        """Return what may be shown now that the answer's text has gone on by *piece*."""
        if not self._stops:
            return self.limit_other(piece)
        text, self._held = self._held + piece, ""
        positions = [position for stop in self._stops if (position := text.find(stop)) >= 0]
        if positions:
            shown = self.limit_other(text[: min(positions)])
            self.cut = self.cut or STOP
            return shown
        keep = len(text) - max(_beginning_at_the_end(text, stop) for stop in self._stops)
        shown = self.limit_other(text[:keep])
        if self.cut is None:
            self._held = text[keep:]
        return shown

    def limit_other(self, piece: str) -> str:
        """Return what may be shown of *piece*, which counts but which no stop text can end."""
        if self._left is None:
            return piece
        encoded = piece.encode()
        if len(encoded) <= self._left:
            self._left -= len(encoded)
            return piece
        self.cut = LENGTH
        return encoded[: self._left].decode(errors="ignore")

    def release(self) -> str:
        """Return, and let go of, what was held back: no stop text came of it."""
        text, self._held = self._held, ""
        return self.limit_other(text)


class OutputCap:
    """Events of the client's stream in, the same out; after the cut, its end and nothing more."""

    def __init__(self, max_bytes: int | None, stops: tuple[str, ...] = ()) -> None:
        self._limiter = OutputLimiter(max_bytes, stops)
        self._out: list[Event] = []

    @property
    def cut(self) -> str | None:
        """Why the answer ended here, "length" or "stop"; None while it goes on."""
        return self._limiter.cut

    def limit_events(self, events: list[Event]) -> list[Event]:
        limiter, limit_event = self._limiter, self._limit_event
        for event in events:
            if limiter.cut is None:
                limit_event(event)
        out, self._out = self._out, []
        return out

    def cut_off(self) -> list[Event]:
        """Return the end of an answer that is too long, though what the client was given is not."""
        self._limiter.cut = LENGTH
        self._end()
        out, self._out = self._out, []
        return out

    def _end(self) -> None:
        """Put into `_out` the end of the answer as far as it came."""
        raise NotImplementedError

    def _limit_event(self, event: Event) -> None:
        """Put into `_out` what may be shown of *event*, and the end where that is the cut."""
        raise NotImplementedError


def _beginning_at_the_end(text: str, stop: str) -> int:
    """
    Return how many of the last characters of *text* are the first of *stop*.

    Only where its first character stands can it begin; the schema bounds how long it is.
    """
    position = text.find(stop[0], max(0, len(text) - len(stop) + 1))
    while position >= 0:
        if stop.startswith(text[position:]):
            return len(text) - position
        position = text.find(stop[0], position + 1)
    return 0

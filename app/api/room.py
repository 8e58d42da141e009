"""How much one process takes on at once, so that it says no before its memory does."""

from __future__ import annotations

from app.errors import Overloaded

MOST_REQUESTS = 1900  # of gunicorn's 2,000 connections; the rest is for probes and for saying no
MOST_BODY_BYTES = 256 * 1024 * 1024  # as they came; a body is held, parsed and encoded, about four times
RETRY_AFTER_SECONDS = 1.0


class Room:
    def __init__(self, most_requests: int = MOST_REQUESTS, most_bytes: int = MOST_BODY_BYTES) -> None:
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self, size: int) -> None:
        """
        Take room for a request with a body of *size* bytes; whoever comes alone always fits.

        Raises Overloaded.
        """
        full = self.requests >= self._most_requests or self.bytes + size > self._most_bytes
        if full and self.requests:
            raise _full()
        self.requests += 1
        self.bytes += size

    def grow(self, size: int) -> None:
        """
        Take *size* bytes more for a request that is in: its body had not said how large it is.

        Raises Overloaded; whoever is alone always fits.
        """
        if self.bytes + size > self._most_bytes and self.requests > 1:
            raise _full()
        self.bytes += size

    def leave(self, size: int) -> None:
        self.requests -= 1
        self.bytes -= size


def _full() -> Overloaded:
    return Overloaded(
        "This gateway process has too many requests open; please send the request again",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )

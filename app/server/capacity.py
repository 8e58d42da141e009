"""How much one process takes on at once, so that it says no before its memory does."""

from __future__ import annotations

from app.errors import Overloaded

MAX_MEMORY_BYTES = 1024 * 1024 * 1024  # that all bodies of this process may take
COPIES = 4  # of a body: as it came, joined, parsed, and encoded for the upstream
WIDE_COPIES = 4  # more of text that is not ASCII: one character may make Python take four bytes for each
BYTES_PER_VALUE = 128  # of parsed JSON, beside its text: measured 110 for objects of one field
RETRY_AFTER_SECONDS = 1.0


class Capacity:
    def __init__(self, max_requests: int, max_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self, size: int) -> None:
        """
        Take room for a request that holds *size* bytes of memory; one that comes alone always fits.

        Raises Overloaded.
        """
        full = self.requests >= self._max_requests or self.bytes + size > self._max_bytes
        if full and self.requests:
            raise _full()
        self.requests += 1
        self.bytes += size

    def grow(self, size: int) -> None:
        """
        Take *size* bytes more for a request that is in, as its body arrives, is unpacked, and is parsed.

        Raises Overloaded; one that is alone always fits.
        """
        if self.bytes + size > self._max_bytes and self.requests > 1:
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

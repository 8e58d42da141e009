"""Capacity of one process: limit open requests and the memory that their bodies take."""

from __future__ import annotations

from app.errors import Overloaded

MAX_MEMORY_BYTES = 1024 * 1024 * 1024  # for the bodies of all requests of this process
COPIES = 4  # copies of a body: received, joined, parsed, and encoded for the upstream
# Further copies for non-ASCII text: one such character can make Python use four bytes for each
WIDE_COPIES = 4
# Memory per value of parsed JSON, besides its text; measured 110 for objects with one field
BYTES_PER_VALUE = 128
RETRY_AFTER_SECONDS = 1.0


class Capacity:
    """The number of open requests, and the bytes of memory that they hold."""

    def __init__(self, max_requests: int, max_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self, size: int) -> None:
        """
        Count a request that holds *size* bytes of memory; a single request always fits.

        Raises Overloaded.
        """
        full = self.requests >= self._max_requests or self.bytes + size > self._max_bytes
        if full and self.requests:
            raise _full()
        self.requests += 1
        self.bytes += size

    def grow(self, size: int) -> None:
        """
        Count *size* more bytes of an open request, as its body arrives, is decompressed, and is parsed.

        Raises Overloaded; a single request always fits.
        """
        if self.bytes + size > self._max_bytes and self.requests > 1:
            raise _full()
        self.bytes += size

    def leave(self, size: int) -> None:
        """End a request that held *size* bytes."""
        self.requests -= 1
        self.bytes -= size


def _full() -> Overloaded:
    return Overloaded(
        "This gateway process has too many requests open; please send the request again",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )

"""Bounds on what clients can make a process store and do: bytes of pending messages, rate of messages."""

from __future__ import annotations

MIB = 1024 * 1024
MAX_BYTES = 256 * MIB  # size of messages that arrive or wait, on all connections of a process


class MessageBudget:
    """The total bytes of messages that are incomplete or wait for their lane."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes

    def take(self, size: int) -> bool:
        """Count *size* more bytes if they fit; return whether they do."""
        self.bytes += size
        return self.bytes <= self._max_bytes

    def give(self, size: int) -> None:
        self.bytes -= size


class Rate:
    """A rate limit: at most *burst* at once, and *per_second* on average."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = self._left = burst
        self._at = now

    def allows(self, now: float) -> bool:
        """Count an event at *now* (monotonic seconds); return whether it is allowed."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second) - 1
        self._at = now
        return self._left >= 0

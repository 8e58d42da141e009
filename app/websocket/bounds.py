"""What clients may make this process hold and do: bytes of unfinished messages, and a rate of messages."""

from __future__ import annotations

MIB = 1024 * 1024
MAX_BYTES = 256 * MIB  # of the messages that arrive or wait, on all connections of a process


class MessageBudget:
    """The bytes of messages that are not complete, or that wait for their lane."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.bytes = 0
        self._max_bytes = max_bytes

    def take(self, size: int) -> bool:
        """Count *size* bytes more; return whether they fit."""
        self.bytes += size
        return self.bytes <= self._max_bytes

    def give(self, size: int) -> None:
        self.bytes -= size


class Rate:
    """At most *burst* at once, and *per_second* in the long run."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = self._left = burst
        self._at = now

    def allows(self, now: float) -> bool:
        """Count one at *now*, in seconds on the monotonic clock; return whether it is allowed."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second) - 1
        self._at = now
        return self._left >= 0

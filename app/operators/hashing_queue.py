"""
Decide which sign-in may hash a password next; only a few may do so at a time.

Unknown clients must not delay an operator. Known clients (the name has signed in from that address, or is
signed in now) go before all unknown ones. Among unknown clients, those whose network has made fewer attempts
go first. Only a few of these may wait: the one with the most attempts is refused before it costs a hash.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gevent.lock import Semaphore

from app.errors import Overloaded


@dataclass(frozen=True, slots=True)
class Priority:
    """Whether a client is known; for an unknown one, the recent attempts from its network."""

    is_known: bool = True
    attempts: int = 0


OPERATOR = Priority()


@dataclass(eq=False, slots=True)
class _Waiter:
    priority: Priority
    number: int
    called: Semaphore = field(default_factory=lambda: Semaphore(0))
    has_slot: bool = False

    def rank(self) -> tuple[bool, int, int]:
        """Return a sort key, smallest for the waiter that goes first."""
        return (not self.priority.is_known, self.priority.attempts, self.number)


class HashingQueue:
    def __init__(self, max_concurrent: int, max_waiting: int) -> None:
        """Limit concurrent hashes, and the number of unknown clients that wait for one."""
        self._free = max_concurrent
        self._max_waiting = max_waiting
        self._waiting: list[_Waiter] = []
        self._number = 0
        self._lock = threading.Lock()  # for commands, which run in threads; never held while waiting

    @contextmanager
    def acquire(self, priority: Priority, seconds: float) -> Iterator[None]:
        """
        Hold a slot during the block. Raises Overloaded after *seconds* without one, or if too many unknown
        clients wait.
        """
        waiter = self._join(priority)
        waiter.called.acquire(timeout=seconds)
        with self._lock:
            if not waiter.has_slot:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                raise _overloaded()
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._assign()

    def _join(self, priority: Priority) -> _Waiter:
        with self._lock:
            self._number += 1
            waiter = _Waiter(priority, self._number)
            self._waiting.append(waiter)
            self._assign()
            unknown = [other for other in self._waiting if not other.priority.is_known]
            if len(unknown) > self._max_waiting:
                last = max(unknown, key=_Waiter.rank)
                self._waiting.remove(last)
                last.called.release()  # the wait ended without a slot
        return waiter

    def _assign(self) -> None:
        while self._free and self._waiting:
            first = min(self._waiting, key=_Waiter.rank)
            self._waiting.remove(first)
            self._free -= 1
            first.has_slot = True
            first.called.release()


def _overloaded() -> Overloaded:
    return Overloaded("Too many people are signing in just now", retry_after_seconds=5)

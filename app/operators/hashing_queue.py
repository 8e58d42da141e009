"""
Who may use one of the few places in which passwords are hashed, and in which order.

Strangers must not keep an operator waiting: whoever is known, because that name has signed in from
that address or is signed in now, goes before every stranger. Of strangers, those whose network has
tried less go first, and few may wait: the one that has tried most is refused before it costs a hash.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gevent.lock import Semaphore

from app.errors import Overloaded


@dataclass(frozen=True, slots=True)
class Turn:
    """*tries* is how often a stranger's network has tried of late."""

    known: bool = True
    tries: int = 0


OPERATOR = Turn()


@dataclass(eq=False, slots=True)
class _Waiter:
    turn: Turn
    number: int
    called: Semaphore = field(default_factory=lambda: Semaphore(0))
    has_place: bool = False

    def rank(self) -> tuple[bool, int, int]:
        """Return what is smallest of the one that goes first."""
        return (not self.turn.known, self.turn.tries, self.number)


class HashingQueue:
    def __init__(self, at_once: int, max_strangers: int) -> None:
        """*at_once* may have a place at the same time, and *max_strangers* may wait for one."""
        self._free = at_once
        self._max_strangers = max_strangers
        self._waiting: list[_Waiter] = []
        self._number = 0
        self._lock = threading.Lock()  # commands run in threads; never held while something waits

    @contextmanager
    def take(self, turn: Turn, seconds: float) -> Iterator[None]:
        """Hold a place. Raises Overloaded when there is none in *seconds*, or too many strangers wait."""
        waiter = self._join(turn)
        waiter.called.acquire(timeout=seconds)
        with self._lock:
            if not waiter.has_place:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                raise _overloaded()
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._call()

    def _join(self, turn: Turn) -> _Waiter:
        with self._lock:
            self._number += 1
            waiter = _Waiter(turn, self._number)
            self._waiting.append(waiter)
            self._call()
            strangers = [one for one in self._waiting if not one.turn.known]
            if len(strangers) > self._max_strangers:
                last = max(strangers, key=_Waiter.rank)
                self._waiting.remove(last)
                last.called.release()  # without a place
        return waiter

    def _call(self) -> None:
        while self._free and self._waiting:
            first = min(self._waiting, key=_Waiter.rank)
            self._waiting.remove(first)
            self._free -= 1
            first.has_place = True
            first.called.release()


def _overloaded() -> Overloaded:
    return Overloaded("Too many people are signing in just now", retry_after_seconds=5)

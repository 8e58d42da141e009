"""
Writes that the store has just accepted, until they are known to be durable.

A Redis that fails over, or is killed between two syncs, loses its last writes although it confirmed them. So
each write is looked up once more, with one call per pool and period, and lost ones are repeated. Until then
what was sent stays in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import Generic, TypeVar

import gevent

from app.errors import StoreRefused, StoreUnavailable

VERIFY_SECONDS = 5.0  # a write is verified 5 to 10 s after it was accepted

Id = TypeVar("Id", bound=Hashable)
Value = TypeVar("Value")

FindLost = Callable[[str, Collection[Id]], Iterable[Id]]  # pool, ids -> those that the store has not


class UnconfirmedWrites(Generic[Id, Value]):
    """Values that were written under an id of their pool; they are verified in the background."""

    def __init__(
        self,
        find_lost: FindLost[Id],
        repeat: Callable[[list[tuple[str, Value]]], None],
        max_size: int,
    ) -> None:
        """*repeat* takes (pool, value) of lost writes. Beyond *max_size*, writes are not looked up."""
        self._find_lost = find_lost
        self._repeat = repeat
        self._max_size = max_size
        self._current: dict[str, dict[Id, tuple[Value, int]]] = {}  # pool -> id -> (value, its size)
        self._previous: dict[str, dict[Id, tuple[Value, int]]] = {}  # accepted in the previous period
        self._size = 0
        self._verifier: gevent.Greenlet | None = None

    def add(self, pool: str, write_id: Id, value: Value, size: int = 1) -> None:
        """Verify *value* later, unless the sizes of all would exceed the maximum."""
        if self._size + size > self._max_size:
            return
        self._size += size
        self._current.setdefault(pool, {})[write_id] = (value, size)
        if not self._verifier:
            self._verifier = gevent.spawn(self._verify_until_confirmed)

    def _verify_until_confirmed(self) -> None:
        while self._current or self._previous:
            gevent.sleep(VERIFY_SECONDS)
            self.verify()

    def verify(self) -> None:
        """End a period: repeat the writes of the previous one that the store has lost."""
        if lost := self._take_lost():
            self._repeat(lost)

    def _take_lost(self) -> list[tuple[str, Value]]:
        """If the store of a pool does not answer, its writes are looked up at the end of the next period."""
        lost: list[tuple[str, Value]] = []
        for pool, writes in list(self._previous.items()):
            try:
                lost_ids = self._find_lost(pool, writes)
            except StoreUnavailable:
                continue
            except StoreRefused:  # logged; another look-up would fail as well
                del self._previous[pool]
                continue
            lost += [(pool, writes[write_id][0]) for write_id in lost_ids]
            del self._previous[pool]
        for pool, writes in self._current.items():
            self._previous.setdefault(pool, {}).update(writes)
        self._current = {}
        self._size = sum(size for writes in self._previous.values() for _, size in writes.values())
        return lost

"""
Settlements that the store has just accepted, until they are known to be durable.

A Redis that fails over, or is killed between two syncs, loses its last writes although it confirmed them. So
each settlement is looked up once more, with one call per pool and period, and lost ones are delivered again.
Until then the bytes that were sent stay in memory.
"""

from __future__ import annotations

from app.errors import StoreRefused, StoreUnavailable
from app.stores.settlements import SettlementRepository

MAX_SETTLEMENTS = 20_000  # about 20 MiB; further ones are not looked up

SettlementsByPool = dict[str, dict[str, bytes]]  # pool -> request id -> settlement (JSON)


class UnconfirmedSettlements:
    def __init__(self, settlements: SettlementRepository) -> None:
        self._settlements = settlements
        self._current: SettlementsByPool = {}  # accepted in this period
        self._previous: SettlementsByPool = {}  # accepted in the previous period
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._current or self._previous)

    def add(self, pool: str, request_id: str, settlement: bytes) -> None:
        if self._count < MAX_SETTLEMENTS:
            self._count += 1
            self._current.setdefault(pool, {})[request_id] = settlement

    def take_lost(self) -> list[tuple[str, bytes]]:
        """
        End a period: return (pool, settlement) of those of the previous period that the store has lost.

        If the store of a pool does not answer, they are looked up at the end of the next period.
        """
        lost: list[tuple[str, bytes]] = []
        for pool, settlements in list(self._previous.items()):
            try:
                request_ids = self._settlements.find_lost(pool, settlements)
            except StoreUnavailable:
                continue
            except StoreRefused:  # logged; another look-up would fail as well
                del self._previous[pool]
                continue
            lost += [(pool, settlements[request_id]) for request_id in request_ids]
            del self._previous[pool]
        for pool, settlements in self._current.items():
            self._previous.setdefault(pool, {}).update(settlements)
        self._current = {}
        self._count = sum(map(len, self._previous.values()))
        return lost

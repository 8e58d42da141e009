"""
Settlements that the store took a moment ago, until it is sure that it keeps them.

A Redis that fails over, or is killed between two syncs, forgets what it wrote last although it
had said yes. So each settlement is looked for once more, one call per pool and period; what is
missing is offered again. What is kept meanwhile is the bytes that were sent.
"""

from __future__ import annotations

from app.errors import StoreRefused, StoreUnavailable
from app.stores.scripts import Scripts

MOST = 20_000  # of one period, about 20 MiB; those past it are not looked for

Taken = dict[str, dict[str, bytes]]  # pool -> request id -> settlement (JSON)


class UnconfirmedSettlements:
    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._taken: Taken = {}  # in this period
        self._ripe: Taken = {}  # in the one before: replicas and disks have had a period's time
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._taken or self._ripe)

    def add(self, pool: str, request_id: str, settlement: bytes) -> None:
        if self._count < MOST:
            self._count += 1
            self._taken.setdefault(pool, {})[request_id] = settlement

    def lost_settlements(self) -> list[tuple[str, bytes]]:
        """
        End a period: return the settlements of the one before that the store has forgotten.

        Those of a pool whose store does not answer are looked for at the end of the next.
        """
        found: list[tuple[str, bytes]] = []
        for pool, settlements in list(self._ripe.items()):
            try:
                missing = self._scripts.run("unsettled", pool, *settlements)
            except StoreUnavailable:
                continue
            except StoreRefused:  # logged; looking again would fail again
                del self._ripe[pool]
                continue
            found += [(pool, settlements[request_id]) for request_id in missing]
            del self._ripe[pool]
        for pool, settlements in self._taken.items():
            self._ripe.setdefault(pool, {}).update(settlements)
        self._taken = {}
        self._count = sum(map(len, self._ripe.values()))
        return found

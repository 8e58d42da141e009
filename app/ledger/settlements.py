"""
The books: what a request used is settled exactly once, even if Redis is away or fails over then.

A settlement that cannot be delivered is kept here and offered again until it can; the store
ignores one that it has seen. Meanwhile the lease may expire and be charged its bound, which
the late settlement then corrects. A worker that ends before Redis is back leaves its
settlements in the spool, and whoever starts next delivers them. One that the store took and
then forgot is offered again (`recent`).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import gevent
import orjson
import structlog

from app.errors import StoreRefused, StoreUnavailable
from app.ledger.dead_letters import DeadLetters
from app.ledger.entries import charged_at_bound
from app.ledger.spool import Spool
from app.ledger.unconfirmed import UnconfirmedSettlements
from app.stores.scripts import Scripts

log = structlog.get_logger()

RETRY_SECONDS = 0.5
TOO_LATE = "late"  # what settle.lua returns for one that is a day old, and not known any more
LOOK_SECONDS = 5.0  # a settlement is looked for 5 to 10 s after it was taken
MAX_KEPT = 100_000  # about 100 MiB; past it the oldest is written to the log, which is the last resort


class SettlementWriter:
    def __init__(self, scripts: Scripts, spool: Spool, dead_letters: DeadLetters) -> None:
        self._scripts = scripts
        self._spool = spool
        self._dead_letters = dead_letters
        self._kept: OrderedDict[str, tuple[str, dict[str, Any]]] = OrderedDict()  # by request id
        self._recent = UnconfirmedSettlements(scripts)
        self._deliverer: gevent.Greenlet | None = None
        self._looker: gevent.Greenlet | None = None

    def __len__(self) -> int:
        """How many settlements wait for Redis."""
        return len(self._kept)

    def spooled(self) -> int:
        """How many files of settlements lie in the spool."""
        return len(self._spool.files())

    def settle(self, pool: str, settlement: dict[str, Any]) -> None:
        """Write *settlement* ({id, mark, row}, see settle.lua), or store it to deliver later."""
        try:
            self._offer(pool, settlement)
        except StoreUnavailable:
            self._keep(pool, settlement)

    def _offer(self, pool: str, settlement: dict[str, Any]) -> None:
        """Deliver *settlement*, or add it to the dead letters if refused. Raises StoreUnavailable."""
        try:
            self._send(pool, settlement)
        except StoreRefused as error:
            self._dead_letters.add(pool, settlement, error.reason)
        except (TypeError, ValueError, LookupError) as error:  # it is not what it should be
            self._dead_letters.add(pool, settlement, f"it cannot be read: {type(error).__name__}")

    def _send(self, pool: str, settlement: dict[str, Any]) -> None:
        try:
            data = orjson.dumps(settlement)
        except TypeError:  # such as an integer past 64 bits: what the request was admitted with is charged
            log.error("settlement_unreadable", pool=pool, request_id=settlement["id"])
            data = orjson.dumps(charged_at_bound(settlement))
        if self._scripts.run("settle", pool, data) == TOO_LATE:
            self._dead_letters.add(pool, settlement, "it came more than a day late")
            return  # nor is it looked for: the store does not know it, and would be offered it for ever
        self._recent.add(pool, settlement["id"], data)
        if not self._looker:
            self._looker = gevent.spawn(self._look)

    def _look(self) -> None:
        while self._recent:
            gevent.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Keep, to deliver it anew, what the store took some seconds ago and has forgotten since."""
        if lost_settlements := self._recent.lost_settlements():
            log.warning("settlements_forgotten", count=len(lost_settlements))
        for pool, data in lost_settlements:
            self._keep(pool, orjson.loads(data))

    def _keep(self, pool: str, settlement: dict[str, Any]) -> None:
        if len(self._kept) >= MAX_KEPT:
            _, (lost_pool, lost) = self._kept.popitem(last=False)
            log.error("settlement_dropped", pool=lost_pool, settlement=lost)
        self._kept[settlement["id"]] = pool, settlement
        if not self._deliverer:
            self._deliverer = gevent.spawn(self._deliver)

    def _deliver(self) -> None:
        while self._kept:
            gevent.sleep(RETRY_SECONDS)
            self.flush()

    def flush(self) -> int:
        """Offer what is kept until one is not taken, which then comes last; return how many are left."""
        for request_id in list(self._kept):
            if request_id not in self._kept:
                continue  # somebody else delivered it while we waited for Redis
            try:
                self._offer(*self._kept[request_id])
            except StoreUnavailable:
                if request_id in self._kept:
                    self._kept.move_to_end(request_id)  # or one that is never taken would hold up the rest
                break
            self._kept.pop(request_id, None)
        return len(self._kept)

    def spool_pending(self) -> None:
        """Try once more, then write what is left to the spool: this process ends."""
        if self.flush():
            path = self._spool.write(self._kept.values())
            log.warning("settlements_spooled", count=len(self._kept), file=path.name)
            self._kept.clear()

    def recover_spooled(self) -> None:
        """Deliver what earlier processes put away; a file is removed once nothing of it is kept any more."""
        found = {path: self._spool.read(path) for path in self._spool.files()}
        for entries in found.values():
            for pool, settlement in entries:
                self._keep(pool, settlement)
        while found:
            for path, entries in list(found.items()):
                if not any(settlement["id"] in self._kept for _, settlement in entries):
                    self._spool.remove(path)
                    log.info("settlements_recovered", count=len(entries), file=path.name)
                    del found[path]
            gevent.sleep(RETRY_SECONDS)

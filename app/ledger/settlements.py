"""
Settles the usage of requests exactly once, even while Redis is away or fails over.

A settlement that cannot be delivered stays pending in this process and is retried; the store ignores
repetitions. Meanwhile the lease may expire and be charged its upper bound, which the late settlement then
corrects. A process that ends before Redis is back writes its pending settlements to the spool, and the next
process delivers them. A settlement that the store accepted and then lost is delivered again (`unconfirmed`).
"""

from __future__ import annotations

from collections import OrderedDict

import gevent
import orjson
import structlog

from app.errors import StoreRefused, StoreUnavailable
from app.ledger.dead_letters import DeadLetters
from app.ledger.entries import without_figures
from app.ledger.spool import PendingSettlement, Spool
from app.ledger.unconfirmed import UnconfirmedWrites
from app.stores.records.settlement import SettlementJson
from app.stores.settlements import SettlementRepository

log = structlog.get_logger()

RETRY_SECONDS = 0.5
MAX_UNCONFIRMED = 20_000  # about 20 MiB; further ones are not looked up
MAX_PENDING = 100_000  # about 100 MiB; beyond that, the oldest is written to the log as a last resort


class SettlementWriter:
    """Writes settlements; its `len` is the number of pending ones."""

    def __init__(self, settlements: SettlementRepository, spool: Spool, dead_letters: DeadLetters) -> None:
        self._settlements = settlements
        self._spool = spool
        self._dead_letters = dead_letters
        self._pending: OrderedDict[str, PendingSettlement] = OrderedDict()  # by request id
        self._unconfirmed = UnconfirmedWrites(settlements.find_lost, self._add_lost, MAX_UNCONFIRMED)
        self._retrier: gevent.Greenlet | None = None

    def __len__(self) -> int:
        return len(self._pending)

    def count_spool_files(self) -> int:
        """Return the number of files of settlements in the spool."""
        return len(self._spool.files())

    def settle(self, pool: str, settlement: SettlementJson) -> None:
        """Write *settlement* ({id, mark, row, …}, see settle.lua), or deliver it later."""
        try:
            self._deliver(pool, settlement)
        except StoreUnavailable:
            self._add_pending(PendingSettlement(pool, settlement))

    def _deliver(self, pool: str, settlement: SettlementJson) -> None:
        """Write *settlement*, or add it to the dead letters if it is refused. Raises StoreUnavailable."""
        try:
            self._write(pool, settlement)
        except StoreRefused as error:
            self._dead_letters.add(pool, settlement, error.reason)
        except (TypeError, ValueError, LookupError) as error:  # it is malformed
            self._dead_letters.add(pool, settlement, f"it cannot be read: {type(error).__name__}")

    def _write(self, pool: str, settlement: SettlementJson) -> None:
        try:
            data = orjson.dumps(settlement)
        except TypeError:  # such as an integer of more than 64 bits; the request is charged its upper bound
            log.error(
                "settlement_not_serializable",
                former_event="settlement_unreadable",
                pool=pool,
                request_id=settlement["id"],
            )
            data = orjson.dumps(without_figures(settlement))
        if not self._settlements.settle(pool, data):
            self._dead_letters.add(pool, settlement, "it came more than a day late")
            return  # not verified later: the store never has it, so it would be repeated forever
        self._unconfirmed.add(pool, settlement["id"], data)

    def verify_recent(self) -> None:
        """
        Deliver again settlements that the store accepted some seconds ago and has lost, as in a failover.
        """
        self._unconfirmed.verify()

    def _add_lost(self, lost: list[tuple[str, bytes]]) -> None:
        log.warning("settlements_lost_in_failover", former_event="settlements_forgotten", count=len(lost))
        for pool, data in lost:
            self._add_pending(PendingSettlement(pool, orjson.loads(data)))

    def _add_pending(self, pending: PendingSettlement) -> None:
        if len(self._pending) >= MAX_PENDING:
            _, dropped = self._pending.popitem(last=False)
            log.error("settlement_dropped", pool=dropped.pool, settlement=dropped.settlement)
        self._pending[pending.request_id] = pending
        if not self._retrier:
            self._retrier = gevent.spawn(self._retry)

    def _retry(self) -> None:
        while self._pending:
            gevent.sleep(RETRY_SECONDS)
            self.flush()

    def flush(self) -> int:
        """Deliver pending settlements until one fails, which moves to the end; return how many remain."""
        for request_id in list(self._pending):
            if request_id not in self._pending:
                continue  # another greenlet has delivered it while this one waited for Redis
            try:
                self._deliver(*self._pending[request_id])
            except StoreUnavailable:
                if request_id in self._pending:
                    self._pending.move_to_end(request_id)  # one that always fails must not block the rest
                break
            self._pending.pop(request_id, None)
        return len(self._pending)

    def spool_pending(self) -> None:
        """Try once more, then write pending settlements to the spool, because this process ends."""
        if self.flush():
            path = self._spool.write(self._pending.values())
            log.warning("settlements_spooled", count=len(self._pending), file=path.name)
            self._pending.clear()

    def recover_spooled(self) -> None:
        """Deliver settlements that earlier processes spooled; a file is removed after its last delivery."""
        files = {path: self._spool.read(path) for path in self._spool.files()}
        for entries in files.values():
            for pending in entries:
                self._add_pending(pending)
        while files:
            for path, entries in list(files.items()):
                if not any(pending.request_id in self._pending for pending in entries):
                    self._spool.remove(path)
                    log.info("settlements_recovered", count=len(entries), file=path.name)
                    del files[path]
            gevent.sleep(RETRY_SECONDS)

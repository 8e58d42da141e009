"""
The refusal log of this process: collects refused requests, and writes them once a second.

One call writes all refusals of a pool, so that a burst costs Redis almost nothing. While Redis is away, they
wait in memory: counts by key, code and hour, and the newest of each in full. A batch whose write was not
confirmed may have been recorded, so it is repeated unchanged under its number, which the store records once;
what is refused meanwhile follows in the next batch. A batch that the store accepted and then lost in a
failover is repeated in the same way (`unconfirmed`). A process that ends before Redis is back drops them.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import time
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import gevent
import structlog

from app.errors import GatewayError, StoreUnavailable
from app.ledger.unconfirmed import UnconfirmedWrites
from app.stores.records.api_keys import pool_of
from app.stores.records.refusals import MAX_NAME, RefusalBatch, RefusalGroup, RefusedRequest, clean
from app.stores.refusals import HOUR_SECONDS, RefusalRepository

log = structlog.get_logger()

FLUSH_SECONDS = 1.0
MAX_GROUPS = 1000  # that wait; refusals of further groups are dropped
MAX_UNREAD_GROUPS = 500  # up to which groups of keys that were not read are added: anyone can present a key
MAX_ENTRIES = 20  # refusals per group and batch that are stored in full: the newest
LATEST_SECONDS = 61  # of a group that are counted one by one: those that `top` shows, and the present one


class _Name(NamedTuple):
    """What the refusals of a group have in common."""

    pool: str
    key: str
    digest: str
    code: str
    hour: int


@dataclass(slots=True)
class _Group:
    first_at_ms: int
    count: int = 0
    store_unavailable: bool = False
    entries: deque[RefusedRequest] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))
    seconds: Counter[int] = field(default_factory=Counter)  # start of a second, Unix ms -> its refusals

    def add(self, refusal: RefusedRequest) -> None:
        self.count += 1
        self.store_unavailable |= "accounts" in refusal.admission
        self.entries.append(refusal)
        self.seconds[refusal.at_ms - refusal.at_ms % 1000] += 1
        if len(self.seconds) > LATEST_SECONDS:
            del self.seconds[min(self.seconds)]


class RefusalLog:
    """Collects refusals; its `len` is the number of groups that wait."""

    def __init__(self, refusals: RefusalRepository) -> None:
        self._refusals = refusals
        self._id = ""
        self._numbers = itertools.count(1)
        self._groups: dict[_Name, _Group] = {}
        # (pool, batch) by number: those that are being written, not confirmed or lost
        self._batches: dict[int, tuple[str, RefusalBatch]] = {}
        self._unconfirmed = UnconfirmedWrites(self._find_lost, self._repeat_lost, MAX_GROUPS)
        self._writer: gevent.Greenlet | None = None

    def __len__(self) -> int:
        return len(self._groups) + sum(len(batch.groups) for _, batch in self._batches.values())

    def add(self, refusal: RefusedRequest) -> None:
        """Collect *refusal*, which is written within a second. A refusal without an API key is dropped."""
        name = _name_of(refusal)
        group = self._groups.get(name)
        if group is None:
            if not name.pool or len(self) >= (MAX_GROUPS if refusal.key else MAX_UNREAD_GROUPS):
                return
            group = self._groups[name] = _Group(refusal.at_ms)
        group.add(refusal)
        self._write_soon()

    def _write_soon(self) -> None:
        if not self._writer:
            self._writer = gevent.spawn(self._write_all)

    def _write_all(self) -> None:
        while len(self):
            self.flush()
            gevent.sleep(FLUSH_SECONDS)

    def flush(self) -> None:
        """Write what waits, with one call per batch, until the store does not answer."""
        self._batch_groups()
        for number in list(self._batches):
            if not self._write(number):
                return

    def verify_recent(self) -> None:
        """Write again batches that the store accepted some seconds ago and has lost, as in a failover."""
        self._unconfirmed.verify()

    def _find_lost(self, pool: str, numbers: Collection[int]) -> list[int]:
        return self._refusals.find_lost(pool, self._id, numbers)

    def _repeat_lost(self, lost: list[tuple[str, RefusalBatch]]) -> None:
        log.warning("refusals_lost_in_failover", count=sum(batch.count for _, batch in lost))
        self._batches |= {batch.number: (pool, batch) for pool, batch in lost}
        self._write_soon()

    def close(self) -> None:
        """Write what waits, and drop what the store does not take now, because this process ends."""
        self.flush()
        self.flush()  # what was refused while an earlier batch waited
        lost = sum(group.count for group in self._groups.values())
        lost += sum(batch.count for _, batch in self._batches.values())
        if lost:
            _log_lost(lost)

    def _batch_groups(self) -> None:
        """Make one batch of the groups of each pool that has none."""
        by_pool: dict[str, list[RefusalGroup]] = {}
        unwritten = {pool for pool, _ in self._batches.values()}
        for name in [one for one in self._groups if one.pool not in unwritten]:
            by_pool.setdefault(name.pool, []).append(_sealed(name, self._groups.pop(name)))
        for pool, groups in by_pool.items():
            self._id = self._id or secrets.token_hex(8)  # not earlier: workers are forked
            number = next(self._numbers)
            self._batches[number] = pool, RefusalBatch(self._id, number, groups)

    def _write(self, number: int) -> bool:
        """Write the batch *number*, unless another greenlet has written it; return whether that is over."""
        if number not in self._batches:
            return True
        pool, batch = self._batches[number]
        try:
            if self._refusals.record(pool, batch, time.time() * 1000):
                self._unconfirmed.add(pool, number, batch, len(batch.groups))
        except StoreUnavailable:
            if number in self._batches:  # the last: other pools may be on a part of the store that answers
                self._batches[number] = self._batches.pop(number)
            return False
        except GatewayError:  # a defect: it would be refused again
            _log_lost(batch.count, pool)
        self._batches.pop(number, None)
        return True


def _name_of(refusal: RefusedRequest) -> _Name:
    """Return the name of its group; without a pool if it has no API key."""
    pool, digest = refusal.pool, ""
    if not refusal.key:
        pool = pool_of(refusal.presented) or ""
        digest = hashlib.sha256(refusal.presented.encode()).hexdigest()
    hour = refusal.at_ms // (HOUR_SECONDS * 1000)
    return _Name(pool, refusal.key, digest, clean(refusal.code, MAX_NAME), hour)


def _sealed(name: _Name, group: _Group) -> RefusalGroup:
    rows = [refusal.row().decode() for refusal in group.entries]
    return RefusalGroup(
        name.key,
        name.digest,
        name.code,
        group.count,
        group.first_at_ms,
        group.store_unavailable,
        rows,
        group.seconds,
    )


def _log_lost(count: int, pool: str | None = None) -> None:
    named = {} if pool is None else {"pool": pool}
    log.warning("refusals_not_recorded", former_event="refusals_lost", **named, count=count)

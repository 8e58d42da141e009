"""
The refusal log of this process: collects refused requests, and writes them once a second.

One call writes all refusals of a pool, so that a burst costs Redis almost nothing. If the process is killed,
the refusals of the last second are lost.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field

import gevent
import structlog

from app.errors import GatewayError
from app.stores.records.api_keys import pool_of
from app.stores.records.refusals import MAX_NAME, Refusal, RefusalGroup
from app.stores.refusals import RefusalRepository

log = structlog.get_logger()

FLUSH_SECONDS = 1.0
MAX_GROUPS = 1000  # groups by pool, key and code; refusals of further groups are dropped until the next flush
MAX_ENTRIES = 20  # refusals per group and flush that are stored in full: the newest


@dataclass(slots=True)
class _Group:
    count: int = 0
    store_unavailable: bool = False
    entries: deque[Refusal] = field(default_factory=lambda: deque(maxlen=MAX_ENTRIES))


class RefusalLog:
    def __init__(self, refusals: RefusalRepository) -> None:
        self._refusals = refusals
        self._groups: dict[tuple[str, str, str, str], _Group] = {}  # by pool, key, digest, code
        self._writer: gevent.Greenlet | None = None

    def add(self, refusal: Refusal) -> None:
        """Collect *refusal*, which is written within a second. A refusal without an API key is dropped."""
        pool, digest = refusal.pool, ""
        if not refusal.key:
            pool = pool_of(refusal.presented) or ""
            digest = hashlib.sha256(refusal.presented.encode()).hexdigest()
        name = (pool, refusal.key, digest, refusal.code[:MAX_NAME])
        if not pool or (name not in self._groups and len(self._groups) >= MAX_GROUPS):
            return
        group = self._groups.setdefault(name, _Group())
        group.count += 1
        group.store_unavailable |= "accounts" in refusal.admission
        group.entries.append(refusal)
        if not self._writer:
            self._writer = gevent.spawn(self._write)

    def _write(self) -> None:
        while self._groups:
            self.flush()
            gevent.sleep(FLUSH_SECONDS)

    def flush(self) -> None:
        """
        Write the collected refusals with one call per pool; refusals that cannot be written are dropped.
        """
        groups, self._groups = self._groups, {}
        by_pool: dict[str, list[RefusalGroup]] = {}
        for (pool, key, digest, code), group in groups.items():
            rows = [refusal.row().decode() for refusal in group.entries]
            by_pool.setdefault(pool, []).append(
                RefusalGroup(key, digest, code, group.count, group.store_unavailable, rows)
            )
        for pool, pool_groups in by_pool.items():
            try:
                self._refusals.record(pool, pool_groups)
            except GatewayError:  # a refusal is not worth a retry, whatever is wrong with the store
                log.warning(
                    "refusals_not_recorded",
                    former_event="refusals_lost",
                    pool=pool,
                    count=sum(group.count for group in pool_groups),
                )

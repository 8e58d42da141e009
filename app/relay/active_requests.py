"""
The requests that are open in this process: their leases are renewed, and they can be ended.

One renewal per pool and period serves all leases, so they need no separate round trips.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import structlog
from gevent.event import Event

from app.errors import StoreError
from app.relay.context import RequestContext
from app.relay.waiting import WaitingRequests
from app.stores.admissions import AdmissionRepository

log = structlog.get_logger()

RETRY_SECONDS = 1.0  # while Redis is away, so that leases are renewed soon after it is back


class ActiveRequests:
    """The open requests of this process, by id: those that hold a lease, and those that wait for one."""

    def __init__(self, admissions: AdmissionRepository, *, ttl_seconds: float, renew_seconds: float) -> None:
        self._admissions = admissions
        self._ttl_ms = int(ttl_seconds * 1000)
        self._renew_seconds = renew_seconds
        self._by_id: dict[str, RequestContext] = {}
        self.waiting = WaitingRequests()
        self._idle = Event()
        self._idle.set()
        self._renewer: gevent.Greenlet | None = None

    def __len__(self) -> int:
        return len(self._by_id)

    @contextmanager
    def track(self, context: RequestContext) -> Iterator[None]:
        """Inside this block, renew the lease of *context* periodically."""
        if not self._renewer:
            self._renewer = gevent.spawn(self._renew_forever)
        self._by_id[context.request_id] = context
        self._idle.clear()
        try:
            yield
        finally:
            del self._by_id[context.request_id]
            if not self._by_id:
                self._idle.set()

    def drain(self, seconds: float) -> int:
        """
        End every open request with an error.

        Wait up to *seconds* until all are settled; return how many are not.
        """
        self.waiting.stop()
        for context in list(self._by_id.values()):
            context.caller.cancellation.worker_stopping()
        self._idle.wait(seconds)
        return len(self._by_id)

    def _renew_forever(self) -> None:
        wait = self._renew_seconds
        while True:
            gevent.sleep(wait)
            wait = self._renew_seconds if self.renew() else RETRY_SECONDS

    def renew(self) -> bool:
        """Renew every lease of this process, one call per pool; return whether Redis answered every call."""
        has_renewed_all = True
        by_pool: dict[str, list[str]] = defaultdict(list)
        for context in self._by_id.values():
            by_pool[context.caller.key.pool].append(context.request_id)
        for pool, request_ids in by_pool.items():
            try:
                lost = self._admissions.renew(pool, self._ttl_ms, request_ids)
            except StoreError:  # not only StoreUnavailable: the renewer must go on for all other requests
                has_renewed_all = False
                log.warning("leases_not_renewed", pool=pool, count=len(request_ids))
            else:
                for request_id in lost:
                    if request_id in self._by_id:
                        log.warning("lease_lost", pool=pool, request_id=request_id)
        return has_renewed_all

"""
The requests that are open in this process: their leases are renewed, and they can be ended.

One renewal per pool and period serves all of them, so a lease costs no round trip of its own.
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
from app.stores.scripts import Scripts

log = structlog.get_logger()

SOON_SECONDS = 1.0  # while Redis is away: leases that it still knows are renewed before they expire


class ActiveRequests:
    def __init__(self, scripts: Scripts, *, ttl_seconds: float, renew_seconds: float) -> None:
        self._scripts = scripts
        self._ttl_ms = int(ttl_seconds * 1000)
        self._renew_seconds = renew_seconds
        self._calls: dict[str, RequestContext] = {}
        self.waiting = WaitingRequests()  # those that have no lease yet
        self._idle = Event()
        self._idle.set()
        self._renewer: gevent.Greenlet | None = None

    def __len__(self) -> int:
        return len(self._calls)

    @contextmanager
    def entered(self, context: RequestContext) -> Iterator[None]:
        """Keep *call*'s lease alive inside this block."""
        if not self._renewer:
            self._renewer = gevent.spawn(self._renew_forever)
        self._calls[context.request_id] = context
        self._idle.clear()
        try:
            yield
        finally:
            del self._calls[context.request_id]
            if not self._calls:
                self._idle.set()

    def drain(self, seconds: float) -> int:
        """End every open stream honestly, wait *seconds* for their settlements; return how many are left."""
        self.waiting.stop()
        for context in list(self._calls.values()):
            context.cancellation.worker_stopping()
        self._idle.wait(seconds)
        return len(self._calls)

    def _renew_forever(self) -> None:
        wait = self._renew_seconds
        while True:
            gevent.sleep(wait)
            wait = self._renew_seconds if self.renew() else SOON_SECONDS

    def sweep(self, pool: str) -> None:
        """Take back leases of *pool* that nobody renewed, whichever process had them."""
        self._scripts.run("renew_leases", pool, self._ttl_ms)

    def renew(self) -> bool:
        """Renew every lease of this process, one call per pool; return whether all could be asked for."""
        asked = True
        by_pool: dict[str, list[str]] = defaultdict(list)
        for context in self._calls.values():
            by_pool[context.key.pool].append(context.request_id)
        for pool, request_ids in by_pool.items():
            try:
                lost = self._scripts.run("renew_leases", pool, self._ttl_ms, *request_ids)
            except StoreError:  # of any kind: the renewer serves all other requests, too
                asked = False
                log.warning("leases_not_renewed", pool=pool, count=len(request_ids))
            else:
                for request_id in lost:
                    if request_id in self._calls:
                        log.warning("lease_lost", pool=pool, request_id=request_id)
        return asked

"""
What is told to the pages that watch a pool: one look at the store a second, for all of a process.

A look reads how the accounts do, and the ledger rows since the last one. It happens only while
somebody watches. A watcher that does not keep up is let go; its browser comes back by itself and
says from where it wants to go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gevent
import structlog
from gevent.queue import Full, Queue

from app.accounts.account import Account
from app.accounts.snapshot import glance
from app.errors import Overloaded, StoreUnavailable
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import LedgerEntry
from app.stores.scripts import Scripts

log = structlog.get_logger()

LOOK_SECONDS = 1.0
MAX_ROWS = 50  # of one look; a busy pool's tail is a sample of its newest
MAX_WATCHERS = 64  # of one process
MAX_WAITING = 60  # news that a watcher has not taken


@dataclass(frozen=True, slots=True)
class FeedUpdate:
    """What changed since the last look: accounts as they are now, and ledger entries, oldest first."""

    accounts: list[Account]
    entries: list[LedgerEntry]


class LiveFeed:
    """One pool's news in this process."""

    def __init__(self, scripts: Scripts, pool: str) -> None:
        self._client = scripts.client
        self._ledger = LedgerRepository(scripts)
        self._pool = pool
        self._watchers: set[Queue[FeedUpdate | None]] = set()
        self._looker: gevent.Greenlet | None = None
        self._glances: dict[str, str] = {}
        self._last_id = ""

    def __len__(self) -> int:
        return len(self._watchers)

    def now(self, after: str) -> FeedUpdate:
        """Return every account as it is, and what came after the ledger entry *after*."""
        entries = self._ledger.newest(self._pool, MAX_ROWS, after) if after else []
        return FeedUpdate(self._accounts(), entries)

    @contextmanager
    def watched(self) -> Iterator[Queue[FeedUpdate | None]]:
        """Yield a queue of news inside this block; None in it says that there will be no more."""
        queue: Queue[FeedUpdate | None] = Queue(maxsize=MAX_WAITING)
        self._watchers.add(queue)
        if not self._looker:
            self._looker = gevent.spawn(self._look_forever)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def stop(self) -> None:
        """Let every watcher go: this process ends."""
        for queue in list(self._watchers):
            self._let_go(queue)

    def _look_forever(self) -> None:
        self._last_id, self._glances = "", {}
        while self._watchers:
            try:
                self._look()
            except StoreUnavailable:
                log.warning("feed_waits_for_store", pool=self._pool)
            gevent.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        if not self._last_id:
            self._last_id = self._ledger.newest_id(self._pool)
        changed = [one for one in self._accounts() if self._glances.get(one.id) != _state_of(one)]
        entries = self._ledger.newest(self._pool, MAX_ROWS, self._last_id)
        self._glances |= {one.id: _state_of(one) for one in changed}
        if entries:
            self._last_id = entries[-1].id
        if changed or entries:
            self._tell(FeedUpdate(changed, entries))

    def _tell(self, news: FeedUpdate) -> None:
        for queue in list(self._watchers):
            try:
                queue.put_nowait(news)
            except Full:
                self._let_go(queue)

    def _let_go(self, queue: Queue[FeedUpdate | None]) -> None:
        self._watchers.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)

    def _accounts(self) -> list[Account]:
        return glance(self._client, self._pool)


def _state_of(one: Account) -> str:
    return f"{one.state}|{one.reason}|{one.until_ms}|{one.in_flight}|{one.cap}|{one.used}|{one.resets_ms}"


class Feeds:
    """The feeds of this process, by pool."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._feeds: dict[str, LiveFeed] = {}

    def of(self, pool: str) -> LiveFeed:
        """Return the feed of *pool*. Raises Overloaded when too many watch in this process."""
        self._feeds = {name: feed for name, feed in self._feeds.items() if len(feed)}
        if sum(map(len, self._feeds.values())) >= MAX_WATCHERS:
            raise Overloaded("Too many pages are being watched; this one shows what was when it was loaded")
        return self._feeds.setdefault(pool, LiveFeed(self._scripts, pool))

    def stop(self) -> None:
        for feed in list(self._feeds.values()):
            feed.stop()

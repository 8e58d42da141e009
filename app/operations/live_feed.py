"""
The updates for the pages that watch a pool: each process polls the store once per second.

A poll reads the state of the accounts and the ledger entries since the last poll. It runs only while a page
watches. A watcher that falls behind is dropped; its browser reconnects and names the entry to continue from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gevent
import structlog
from gevent.queue import Full, Queue

from app.accounts.account import Account
from app.errors import Overloaded, StoreUnavailable
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import LedgerEntry

log = structlog.get_logger()

POLL_SECONDS = 1.0
MAX_ENTRIES = 50  # entries of a poll; on a busy pool these are a sample
MAX_WATCHERS = 64  # per process
MAX_QUEUED = 60  # updates that a watcher may have pending


@dataclass(frozen=True, slots=True)
class FeedUpdate:
    """
    The changes since the last poll: changed accounts with their state, and ledger entries, oldest first.
    """

    accounts: list[Account]
    entries: list[LedgerEntry]


@dataclass(frozen=True, slots=True)
class FeedSource:
    """The source of a feed; `read_accounts` returns the state of every account of a pool."""

    ledger: LedgerRepository
    read_accounts: Callable[[str], list[Account]]


class LiveFeed:
    """The live updates of one pool in this process."""

    def __init__(self, source: FeedSource, pool: str) -> None:
        self._source = source
        self._pool = pool
        self._watchers: set[Queue[FeedUpdate | None]] = set()
        self._poller: gevent.Greenlet | None = None
        self._states: dict[str, str] = {}
        self._last_id = ""

    def __len__(self) -> int:
        """Return the number of watchers."""
        return len(self._watchers)

    def now(self, after: str) -> FeedUpdate:
        """Return every account with its state, and the entries after the ledger entry *after*."""
        entries = self._source.ledger.newest(self._pool, MAX_ENTRIES, after) if after else []
        return FeedUpdate(self._source.read_accounts(self._pool), entries)

    @contextmanager
    def watched(self) -> Iterator[Queue[FeedUpdate | None]]:
        """Yield a queue that receives updates during the block; None in the queue ends the feed."""
        queue: Queue[FeedUpdate | None] = Queue(maxsize=MAX_QUEUED)
        self._watchers.add(queue)
        if not self._poller:
            self._poller = gevent.spawn(self._poll_forever)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def stop(self) -> None:
        """End the feed for every watcher, because the process ends."""
        for queue in list(self._watchers):
            self._drop(queue)

    def _poll_forever(self) -> None:
        self._last_id, self._states = "", {}
        while self._watchers:
            try:
                self._poll()
            except StoreUnavailable:
                log.warning(
                    "live_feed_waiting_for_store", former_event="feed_waits_for_store", pool=self._pool
                )
            gevent.sleep(POLL_SECONDS)

    def _poll(self) -> None:
        if not self._last_id:
            self._last_id = self._source.ledger.newest_id(self._pool)
        accounts = self._source.read_accounts(self._pool)
        changed = [account for account in accounts if self._states.get(account.id) != _state_of(account)]
        entries = self._source.ledger.newest(self._pool, MAX_ENTRIES, self._last_id)
        self._states |= {account.id: _state_of(account) for account in changed}
        if entries:
            self._last_id = entries[-1].id
        if changed or entries:
            self._publish(FeedUpdate(changed, entries))

    def _publish(self, update: FeedUpdate) -> None:
        for queue in list(self._watchers):
            try:
                queue.put_nowait(update)
            except Full:
                self._drop(queue)

    def _drop(self, queue: Queue[FeedUpdate | None]) -> None:
        self._watchers.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)


def _state_of(account: Account) -> str:
    """Return a text that changes whenever the pages would show *account* differently."""
    shown = account.state, account.reason, account.until_ms, account.in_flight, account.cap
    failing = account.persistent_failure, account.stays_in_use, account.unproven, account.has_answered
    wrong = account.is_failing, account.is_unreadable
    is_used = account.attempts > 0
    return "|".join(map(str, (*shown, *failing, *wrong, is_used, account.used, account.resets_ms)))


class LiveFeeds:
    """The live feeds of this process, by pool."""

    def __init__(self, source: FeedSource) -> None:
        self._source = source
        self._feeds: dict[str, LiveFeed] = {}

    def of(self, pool: str) -> LiveFeed:
        """Return the feed of *pool*. Raises Overloaded if too many pages watch in this process."""
        self._feeds = {name: feed for name, feed in self._feeds.items() if len(feed)}
        if sum(map(len, self._feeds.values())) >= MAX_WATCHERS:
            raise Overloaded("Too many pages are open; this one does not update itself")
        return self._feeds.setdefault(pool, LiveFeed(self._source, pool))

    def stop(self) -> None:
        """End every feed, because the process ends."""
        for feed in list(self._feeds.values()):
            feed.stop()

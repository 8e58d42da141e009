from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import orjson
import pytest
from cryptography.fernet import Fernet

from app.accounts.account import Account
from app.accounts.accounts import AccountRepository
from app.accounts.snapshot import read_current_accounts
from app.errors import Overloaded
from app.operations import live_feed
from app.operations.live_feed import FeedSource, FeedUpdate, LiveFeed, LiveFeeds
from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.scripts import Scripts
from app.stores.secrets import Vault
from tests.support.store import POOL, StoreOfTest

TIMEOUT_SECONDS = 30.0


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    return StoreOfTest(redis_client)


def source(store: StoreOfTest) -> FeedSource:
    return FeedSource(
        LedgerRepository(store.scripts), lambda pool: read_current_accounts(store.scripts, pool)
    )


@pytest.fixture(autouse=True)
def account(store: StoreOfTest) -> Account:
    accounts = AccountRepository(Scripts(store.client), Vault([Fernet.generate_key().decode()]))
    return accounts.add(POOL, Account("", "a", "openai", "http://127.0.0.1/v1"))


@pytest.fixture
def feed(store: StoreOfTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveFeed]:
    monkeypatch.setattr(live_feed, "POLL_SECONDS", 0.01)
    made = LiveFeed(source(store), POOL)
    yield made
    made.stop()


def record_request(store: StoreOfTest, request_id: str) -> None:
    store.client.xadd(keys.ledger(POOL), {"row": orjson.dumps({"id": request_id})})


def next_row(queue: Any) -> str:
    while True:
        news: FeedUpdate | None = queue.get(timeout=TIMEOUT_SECONDS)
        assert news is not None
        if news.entries:
            return news.entries[-1].request_id


class TestFeed:
    def test_accounts_come_first(self, feed: LiveFeed) -> None:
        """A new watcher receives the state of every account, and then only changed states."""
        assert [one.name for one in feed.now("").accounts] == ["a"]

    def test_a_change(self, store: StoreOfTest, feed: LiveFeed, account: Account) -> None:
        with feed.watched() as queue:
            assert queue.get(timeout=TIMEOUT_SECONDS).accounts[0].state == "active"
            store.client.hset(keys.account(POOL, account.id), "state", "paused")

            assert queue.get(timeout=TIMEOUT_SECONDS).accounts[0].state == "paused"

    def test_a_first_attempt_that_fails_within_a_poll(
        self, store: StoreOfTest, feed: LiveFeed, account: Account
    ) -> None:
        """The pages show then that it has not answered, instead of that it is not used."""
        with feed.watched() as queue:
            queue.get(timeout=TIMEOUT_SECONDS)
            store.client.hset(keys.account(POOL, account.id), mapping={"attempts": 1, "unanswered": 1})

            (changed,) = queue.get(timeout=TIMEOUT_SECONDS).accounts
            assert (changed.attempts, changed.has_answered) == (1, False)

    def test_rows_that_come(self, store: StoreOfTest, feed: LiveFeed) -> None:
        """What was recorded before is on the page already."""
        record_request(store, "before")
        with feed.watched() as queue:
            queue.get(timeout=TIMEOUT_SECONDS)
            record_request(store, "after")

            assert next_row(queue) == "after"

    def test_rows_since_one(self, store: StoreOfTest, feed: LiveFeed) -> None:
        for name in ("one", "two", "three"):
            record_request(store, name)
        first = store.client.xrange(keys.ledger(POOL), count=1)[0][0]

        assert [entry.request_id for entry in feed.now(first).entries] == ["two", "three"]

    def test_no_polling_without_watchers(self, feed: LiveFeed) -> None:
        with feed.watched() as queue:
            queue.get(timeout=TIMEOUT_SECONDS)
            looker = feed._poller
        assert looker is not None

        looker.join(TIMEOUT_SECONDS)

        assert (len(feed), looker.dead) == (0, True)

    def test_a_slow_reader_is_dropped(self, store: StoreOfTest, feed: LiveFeed) -> None:
        """Its last news is that there is no more; those who keep up are not held up."""
        with feed.watched() as slow, feed.watched() as quick:
            for number in range(live_feed.MAX_QUEUED + 2):
                feed._publish(FeedUpdate([], [(str(number), {"id": number})]))
                quick.get(timeout=TIMEOUT_SECONDS)

            assert slow.get(timeout=TIMEOUT_SECONDS) is None
            assert len(feed) == 1

    def test_the_end_of_the_process(self, feed: LiveFeed) -> None:
        with feed.watched() as queue:
            feed.stop()

            assert queue.get(timeout=TIMEOUT_SECONDS) is None


class TestFeeds:
    def test_one_for_a_pool(self, store: StoreOfTest) -> None:
        made = LiveFeeds(source(store))
        with made.of(POOL).watched():
            assert made.of(POOL) is made.of(POOL)
            assert made.of("other") is not made.of(POOL)

    def test_too_many_watch(self, store: StoreOfTest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live_feed, "MAX_WATCHERS", 1)
        made = LiveFeeds(source(store))
        with made.of(POOL).watched():
            gevent.sleep(0)
            with pytest.raises(Overloaded):
                made.of(POOL)

"""The ledger: entries in the order in which requests ended, and the stored totals."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import EVER, Total
from app.stores.rollups import HOUR
from app.stores.scripts import Scripts
from tests.support.store import StoreOfTest


@pytest.fixture
def ledger(redis_client: Any) -> LedgerRepository:
    return LedgerRepository(Scripts(redis_client))


def settle(store: StoreOfTest, *names: str) -> None:
    store.account("a")
    for name in names:
        store.admit(name)
        store.settle(name, status=200, input_tokens=5, output_tokens=2)


class TestEmpty:
    def test_no_entry(self, ledger: LedgerRepository) -> None:
        assert (ledger.newest_id("t"), ledger.newest("t", 5), ledger.count("t")) == ("0", [], 0)
        assert ledger.find("t", "r1") is None
        assert ledger.open_request("t", "r1") is None
        assert ledger.complete_from_ms("t") == 0


class TestReading:
    def test_newest_after_an_entry(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        settle(store, "r1", "r2", "r3")

        entries = ledger.newest(store.pool, 2)

        assert [entry.request_id for entry in entries] == ["r2", "r3"]
        assert entries[-1].id == ledger.newest_id(store.pool)
        assert [entry.request_id for entry in ledger.newest(store.pool, 5, entries[0].id)] == ["r3"]

    def test_all_page_by_page(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        settle(store, "r1", "r2", "r3")

        pages = list(ledger.read_all(store.pool, 2))

        assert [len(page) for page in pages] == [2, 1]
        after_first = ledger.read_all(store.pool, 2, after=pages[0][0].id)
        assert [entry.id for page in after_first for entry in page] == [pages[0][1].id, pages[1][0].id]

    def test_find(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        """By the id of the request for a day, by the id of the entry for ever."""
        settle(store, "r1", "r2")
        second = ledger.find(store.pool, "r2")
        assert second is not None

        store.client.delete(keys.settled(store.pool, "r2"))

        assert ledger.find(store.pool, "r2") is None
        assert ledger.find(store.pool, "r2", second.id) == second


class TestOpenRequest:
    def test_open(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        store.account("a")
        store.admit("r1", model="m")

        request = ledger.open_request(store.pool, "r1")

        assert request is not None
        assert (request.key_id, request.model, request.is_expired) == ("k", "m", False)
        assert request.attribution == {}

    def test_owner_and_labels(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        """An open request has those of its key, and so has the entry of one whose lease expires."""
        owned = {"owner": "Ann", "labels": {"env": "prod"}}
        store.key("k", owner="Ann", labels='{"env":"prod"}')
        store.account("a")
        store.admit("r1", ttl_ms=1)
        request = ledger.open_request(store.pool, "r1")

        store.client.zadd(keys.leases(store.pool), {"r1": 1})
        store.renew()

        assert request is not None
        assert request.attribution == owned
        (row,) = store.rows()
        assert row["error"] == "lease_expired"
        assert row.items() >= owned.items()


class TestWaitingRequest:
    def test_waiting(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        """Its facts are those of its first try, and its place is that among all that wait."""
        store.key("k", owner="Ann", labels='{"env":"prod"}')
        store.account("a", cap=1)
        store.admit("r1")
        for request_id in ("r2", "r3", "r3"):
            assert store.admit(request_id, wait=10, requested="fast")["refused"] == "no_accounts"

        second, third = (ledger.waiting_request(store.pool, name) for name in ("r2", "r3"))

        assert second is not None
        assert third is not None
        assert (second.before, third.before) == (0, 1)
        assert (third.key_id, third.model, third.requested_model) == ("k", "m", "fast")
        assert third.attribution == {"owner": "Ann", "labels": {"env": "prod"}}
        assert ledger.waiting_request(store.pool, "r1") is None
        store.settle("r1")
        store.admit("r2", wait=10)
        assert ledger.waiting_request(store.pool, "r2") is None


class TestTotals:
    def test_read_with_the_newest_entry(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        settle(store, "r1")

        stored = ledger.total(store.pool, Total(EVER, key_id="k"))

        assert stored.figures["input_tokens"] == 5
        assert stored.newest_id == ledger.newest_id(store.pool)
        assert list(ledger.keys_with_usage(store.pool)) == ["k"]

    def test_of_an_hour(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        settle(store, "r1")
        (start,) = ledger.rollups.starts(store.pool, HOUR)

        stored = ledger.total(store.pool, Total(HOUR, start))
        figures = {figure.name: figure.amount for figure in ledger.rollups.scan(store.pool, HOUR, start)}

        assert stored.figures["k|a|m|output_tokens"] == figures["output_tokens"] == 2
        assert list(ledger.rollups.read(store.pool, HOUR, [start])) == ledger.rollups.scan(
            store.pool, HOUR, start
        )


class TestRemoval:
    def test_complete_from(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        """Once entries are removed, only totals from after the oldest remaining one are complete."""
        settle(store, "r1")
        store.advance(10_000)
        settle(store, "r2")
        assert ledger.complete_from_ms(store.pool) == 0

        store.client.xtrim(keys.ledger(store.pool), maxlen=1, approximate=False)

        assert ledger.complete_from_ms(store.pool) == ledger.newest(store.pool, 1)[0].position[0]

    def test_before_a_time(self, store: StoreOfTest, ledger: LedgerRepository) -> None:
        settle(store, "r1")
        ended_at = int(ledger.newest(store.pool, 1)[0].ended_at)

        assert ledger.remove_before(store.pool, ended_at) == 0
        assert ledger.remove_before(store.pool, ended_at + 1) == 1
        assert ledger.count(store.pool) == 0

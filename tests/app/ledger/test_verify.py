from __future__ import annotations

import threading
from typing import Any

import pytest

from app.ledger.verify import Difference, Verification
from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.records.ledger import Total
from app.stores.scripts import Scripts
from tests.support.store import POOL, START_MS, StoreOfTest

HOUR = START_MS // 1000


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    store.account("a")
    store.key("k")
    return store


def use(store: StoreOfTest, **row: Any) -> None:
    store.settle(store.admit(model=row.get("model", "m"))["id"], **{"input_tokens": 5, "cost": 2, **row})


def verify(store: StoreOfTest) -> list[Difference]:
    return Verification(LedgerRepository(Scripts(store.client)), POOL).differences()


class TestBalanced:
    def test_nothing_recorded(self, store: StoreOfTest) -> None:
        assert verify(store) == []

    def test_every_kind_of_row(self, store: StoreOfTest) -> None:
        """Failures, leases that ran out and their late corrections, and models with the separator in them."""
        use(store)
        use(store, status=502, source="estimated", output_tokens=3)
        use(store, model="gpt|5", first_ms=12)
        use(store, fallback_of="req_1", fallbacks=1, failed_before=2)
        late = store.admit(input_tokens=70, output_tokens=9, cost=4)
        store.advance(100_000)
        use(store)
        store.settle(late["id"], input_tokens=30, output_tokens=2, cost=1)
        assert {row["source"] for row in store.rows()} == {"upstream", "estimated", "corrected"}
        assert [row["errors"] for row in store.rows() if "errors" in row] == [-1]

        seen = Verification(LedgerRepository(Scripts(store.client)), POOL)

        assert seen.differences() == []
        assert (seen.rows, seen.totals, seen.skipped) == (7, 3, 0)

    def test_while_requests_settle(self, store: StoreOfTest) -> None:
        """The ledger balances at every moment, not only when nothing happens."""
        enough = threading.Event()

        def traffic() -> None:
            while not enough.is_set():
                use(store)

        worker = threading.Thread(target=traffic)
        worker.start()
        try:
            found = [verify(store) for _ in range(20)]
        finally:
            enough.set()
            worker.join()

        assert found == [[]] * 20
        assert len(store.rows()) > 5


class TestDifferences:
    def test_a_figure_that_was_changed(self, store: StoreOfTest) -> None:
        use(store)
        store.client.hincrby(keys.rollup(POOL, "h", HOUR), "k|a|m|cost", 1)
        store.client.hset(keys.used(POOL, "k"), "bonus", 7)

        assert verify(store) == [
            Difference(Total("ever", key_id="k"), "bonus", 7, 0),
            Difference(Total("h", HOUR), "k|a|m|cost", 3, 2),
        ]

    def test_a_total_that_is_lost(self, store: StoreOfTest) -> None:
        use(store)
        store.client.delete(keys.rollup(POOL, "h", HOUR))

        assert {(one.figure, one.booked, one.recomputed) for one in verify(store)} == {
            ("k|a|m|cost", 0, 2),
            ("k|a|m|input_tokens", 0, 5),
            ("k|a|m|requests", 0, 1),
        }

    def test_a_row_that_is_lost(self, store: StoreOfTest) -> None:
        """Rows that were removed are no difference: what they were part of is not judged, the rest is."""
        use(store)
        store.client.xtrim(keys.ledger(POOL), maxlen=0)
        use(store)
        oldest = int(store.client.xrange(keys.ledger(POOL))[0][0].partition("-")[0])
        store.set_clock(oldest + 3_600_000)
        use(store)
        store.client.hincrby(keys.rollup(POOL, "h", store.now // 3_600_000 * 3600), "k|a|m|cost", 1)

        seen = Verification(LedgerRepository(Scripts(store.client)), POOL)

        assert [one.figure for one in seen.differences()] == ["k|a|m|cost"]
        assert seen.skipped >= 2

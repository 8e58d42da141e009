"""A reservation becomes a charge, once; a request that is never settled is charged its reservation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.ledger.verify import Verification
from app.stores import keys
from app.stores.ledger import LedgerRepository
from app.stores.scripts import Scripts
from tests.support.store import START_MS, TTL_MS, StoreOfTest, limit

HOUR_MS = 3_600_000


@pytest.fixture
def store(store: StoreOfTest) -> StoreOfTest:
    store.account("a")
    store.key("k", limit("o", "output_tokens", "day", 1000), limit("p", "parallel_requests", "none", 2))
    return store


@pytest.mark.parametrize("delay_ms", [0, HOUR_MS])
@pytest.mark.parametrize("queued_ms", [0, 4000])
def test_the_last_use_of_a_key(store: StoreOfTest, queued_ms: int, delay_ms: int) -> None:
    """It is the end of the request, however late its settlement arrives; its time includes its wait."""
    admitted_ms = store.now
    store.admit("q1")
    store.advance(6000 + delay_ms)
    if delay_ms:
        store.settle(store.admit("sweeps")["id"])  # the lease of the other has expired
        store.client.hdel(keys.last_used(store.pool), "k")

    store.settle("q1", at_ms=admitted_ms, total_ms=6000 + queued_ms, queued_ms=queued_ms)

    assert store.client.hget(keys.last_used(store.pool), "k") == str(admitted_ms + 6000)


def _figures(charge: dict[str, Any]) -> dict[str, int]:
    return {name: amount for name, amount in charge.items() if name != "account"}


@contextmanager
def forgotten(store: StoreOfTest) -> Iterator[None]:
    """Simulate a failover to a replica that has none of the writes in this block."""
    before = {key: store.client.dump(key) for key in store.client.scan_iter()}
    yield
    store.client.flushall()
    for key, value in before.items():
        store.client.restore(key, 0, value)


class TestSettle:
    def test_real_usage_replaces_what_was_held(self, store: StoreOfTest) -> None:
        held = store.admit(output_tokens=400)
        assert store.counters("o")["h"] == 400

        store.settle(held["id"], input_tokens=7, output_tokens=60, cost=3)

        assert store.counters("o") | {"s": 60, "h": 0} == store.counters("o")
        assert store.counters("p") == {"h": 0}
        assert store.in_flight("a") == 0
        assert store.leases() == {}

    def test_second_time(self, store: StoreOfTest) -> None:
        """The worker that lost the reply repeats the call; the ledger has one row."""
        held = store.admit(output_tokens=400)
        first = store.settle(held["id"], output_tokens=60)
        counters = store.counters("o")

        assert first
        assert store.settle(held["id"], output_tokens=60) == ""
        assert (len(store.rows()), store.counters("o"), store.in_flight("a")) == (1, counters, 0)

    def test_after_a_report_whose_reply_was_lost(self, store: StoreOfTest) -> None:
        """The outcome belongs to the account that the worker tried, not to the one picked afterwards."""
        store.account("b")
        held = store.admit(pin="a")
        dead = {"state": "credential_dead", "reason": "401", "wait_ms": 0, "retest_wait_ms": 0}
        charge = {"account": "a", "input_tokens": 1, "output_tokens": 5}
        assert store.report(held["id"], 1, dead, tried=["a"], charge=charge)["account"] == "b"

        store.settle(held["id"], dead, account="a", status=502, attempts=[charge], **_figures(charge))

        assert (store.state("a")["state"], store.state("b")["state"]) == ("credential_dead", "active")
        assert (store.in_flight("a"), store.in_flight("b")) == (0, 0)
        assert (store.counters("o")["s"], store.counters("o")["h"]) == (5, 0)

    def test_a_failover_forgets_the_last_ones(self, store: StoreOfTest) -> None:
        """The reply names the lost settlements, so that their workers can repeat them."""
        settled, lost = store.admit(output_tokens=1)["id"], store.admit(output_tokens=1)["id"]
        store.settle(settled, output_tokens=1)
        with forgotten(store):
            store.settle(lost, output_tokens=1)

        assert store.scripts.run("unsettled", store.pool, settled, lost) == [lost]

    def test_leaves_nothing_open(self, store: StoreOfTest) -> None:
        held = store.admit(output_tokens=1)
        store.settle(held["id"])

        assert store.names("r:*") == set()
        assert store.client.pttl(keys.settled(store.pool, held["id"])) > 0

    def test_admission_that_comes_after_it(self, store: StoreOfTest) -> None:
        """A command that arrives after its worker gave up reserves nothing."""
        held = store.admit(output_tokens=1)
        store.settle(held["id"])

        assert store.admit(held["id"], output_tokens=1)["refused"] == "settled"
        assert store.leases() == {}

    def test_an_admission_after_its_deadline(self, store: StoreOfTest) -> None:
        """A command that a stalled server runs later holds nothing, so nothing expires and is charged."""
        deadline_ms = store.now + 250
        store.advance(251)
        assert store.admit("q", output_tokens=400, by_ms=deadline_ms)["refused"] == "late"
        assert store.counters("o") == {}

        store.advance(-1)
        held = store.admit("q", output_tokens=400, by_ms=deadline_ms)
        store.advance(1000)
        assert store.admit("q", output_tokens=400, by_ms=deadline_ms) == held  # its reply was lost

    def test_more_than_was_held(self, store: StoreOfTest) -> None:
        """An upstream that bills more than the bound is recorded with what it bills."""
        held = store.admit(output_tokens=10)
        store.settle(held["id"], output_tokens=25)

        assert store.counters("o")["s"] == 25

    def test_absent_figures_count_as_none(self, store: StoreOfTest) -> None:
        """Figures that are null or absent count as absent, and lists do not become objects."""
        held = store.admit()
        store.settle(held["id"], cached_tokens=None, attempts=[], cost=4)

        assert "attempts" not in store.rows()[0]
        assert {name.rpartition("|")[2] for _, name in store.rolled_up("h")} == {"requests", "cost"}

    def test_day_of_the_pool(self, store: StoreOfTest) -> None:
        """A request is recorded on the day it began, as the pool's zone counts days."""
        held = store.admit()
        store.advance(30 * HOUR_MS)
        store.settle(held["id"], at_ms=START_MS, output_tokens=1)

        assert {start for start, _ in store.rolled_up("d")} == {START_MS // 1000 - 3600}
        assert {start for start, _ in store.rolled_up("h")} == {START_MS // 1000}


class TestExpiredLease:
    @pytest.fixture
    def expired(self, store: StoreOfTest) -> str:
        request_id: str = store.admit(input_tokens=30, output_tokens=400, cost=9)["id"]
        store.advance(TTL_MS)
        store.renew()
        return request_id

    def test_is_charged_what_it_held(self, store: StoreOfTest, expired: str) -> None:
        """Its slots are free at once, its tokens count as used, and its row names the estimate."""
        assert store.counters("o") | {"s": 400, "h": 0} == store.counters("o")
        assert store.counters("p") == {"h": 0}
        assert store.in_flight("a") == 0
        (row,) = store.rows()
        assert row | {"source": "estimated", "error": "lease_expired", "status": 599} == row
        assert (row["input_tokens"], row["output_tokens"], row["cost"]) == (30, 400, 9)

    def test_names_the_requested_model(self, store: StoreOfTest) -> None:
        store.admit(requested="fast")
        store.advance(TTL_MS)
        store.renew()

        assert [row["asked"] for row in store.rows()] == ["fast"]

    def test_is_corrected_late(self, store: StoreOfTest, expired: str) -> None:
        """The difference is recorded, so that the sum of both rows is what was used, and how it ended."""
        store.settle(expired, input_tokens=31, output_tokens=60, cost=2, cached_tokens=5)

        assert store.counters("o")["s"] == 60
        assert store.counters("p") == {"h": 0}
        _, row = store.rows()
        assert row["source"] == "corrected"
        assert (row["input_tokens"], row["output_tokens"], row["cost"]) == (1, -340, -7)
        sums = {name.rpartition("|")[2]: total for (_, name), total in store.rolled_up("d").items()}
        assert sums == {
            "requests": 1,
            "errors": 0,
            "input_tokens": 31,
            "output_tokens": 60,
            "cost": 2,
            "cached_tokens": 5,
        }

    def test_that_failed_is_still_an_error(self, store: StoreOfTest, expired: str) -> None:
        store.settle(expired, status=499, output_tokens=60, errors=-1)

        sums = {name.rpartition("|")[2]: total for (_, name), total in store.rolled_up("d").items()}
        assert (sums["requests"], sums["errors"]) == (1, 1)

    def test_is_corrected_once(self, store: StoreOfTest, expired: str) -> None:
        store.settle(expired, output_tokens=60)

        assert store.settle(expired, output_tokens=60) == ""
        assert len(store.rows()) == 2

    def test_moves_to_no_other_account(self, store: StoreOfTest, expired: str) -> None:
        assert store.report(expired, 1)["refused"] == "lease"
        assert store.in_flight("a") == 0

    def test_cannot_be_renewed(self, store: StoreOfTest, expired: str) -> None:
        assert store.renew(expired) == [expired]

    def test_is_swept_by_the_next_admission(self, store: StoreOfTest) -> None:
        """No leader is needed; each call expires a few, so that no request waits for a long list."""
        store.key("k")
        for _ in range(6):
            store.admit()
        store.advance(TTL_MS)

        left = []
        for _ in range(2):
            store.admit()
            left.append(sum(deadline <= store.now for deadline in store.leases().values()))
        assert left == [2, 0]


class TestUnheld:
    """Redis failed over and lost the admission, but the request has run."""

    def settle_forgotten(self, store: StoreOfTest, *limits: Any, **row: Any) -> None:
        store.key("k", *limits)
        with forgotten(store):
            held = store.admit(input_tokens=10, output_tokens=400)
        store.settle(held["id"], **row)

    @pytest.mark.parametrize("per", ["second", "minute", "hour", "day", "week", "month", "ever"])
    def test_is_charged(self, store: StoreOfTest, per: str) -> None:
        """The request is charged under every current limit of its key."""
        tokens, requests = limit("t", "total_tokens", per, 1000), limit("n", "requests", per, 10)
        self.settle_forgotten(store, tokens, requests, input_tokens=7, output_tokens=60)

        assert store.admit(input_tokens=0, output_tokens=1000)["settled"] == 67
        refused = store.admit(key=self.with_one_request_less(store, requests))
        assert refused["settled"] == 1

    def with_one_request_less(self, store: StoreOfTest, requests: Any) -> str:
        store.key("k2", requests | {"max": 1})
        return "k2"

    def test_row(self, store: StoreOfTest) -> None:
        self.settle_forgotten(store, source="estimated", output_tokens=60)

        (row,) = store.rows()
        assert (row["source"], row["unheld"], row["output_tokens"]) == ("estimated", True, 60)
        assert {start for start, _ in store.rolled_up("d")} == {START_MS // 1000 - 3600}

    def test_once(self, store: StoreOfTest) -> None:
        self.settle_forgotten(store, limit("t", "output_tokens", "day", 1000), output_tokens=60)
        store.settle("q1", output_tokens=60)

        assert store.counters("t")["s"] == 60

    def test_of_the_pool_and_of_other_models(self, store: StoreOfTest) -> None:
        store.pool_limits(limit("pool", "output_tokens", "day", 1000, scope="pool"))
        self.settle_forgotten(store, limit("other", "output_tokens", "day", 9, model="n"), output_tokens=60)

        assert store.counters("pool")["s"] == 60
        assert store.counters("other") == {}

    def test_nothing_is_held(self, store: StoreOfTest) -> None:
        self.settle_forgotten(store, limit("p", "parallel_requests", "none", 2), output_tokens=60)

        assert store.counters("p") == {}
        assert store.in_flight("a") == 0

    @pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
    def test_delivered_in_a_later_window(self, store: StoreOfTest, busy: bool) -> None:
        """It does not count in a past window if its key has already begun another."""
        store.key("k", limit("t", "output_tokens", "hour", 1000))
        calendar = store.calendar()
        with forgotten(store):
            held = store.admit(output_tokens=400)
        store.advance(5 * HOUR_MS)
        if busy:
            store.admit(output_tokens=1)
        row = store.row(held["id"], at_ms=START_MS, output_tokens=60)
        settlement = {"id": held["id"], "mark": {}, "row": row, "calendar": calendar}
        store.scripts.run_raw("settle", store.pool, settlement)

        window = {"b": store.now, "s": 60, "h": 1} if busy else {"b": START_MS, "s": 60, "h": 0}
        assert store.counters("t") | window == store.counters("t")


class TestLate:
    """A host that was down for days delivers its pending settlements; each is in the ledger once."""

    @pytest.mark.parametrize("after_ms", [0, 23 * HOUR_MS, 25 * HOUR_MS, 20 * 24 * HOUR_MS])
    def test_settled_before(self, store: StoreOfTest, after_ms: int) -> None:
        held = store.admit(output_tokens=50)
        began = store.now
        store.settle(held["id"], output_tokens=7)
        if after_ms > 24 * HOUR_MS:
            store.client.delete(keys.settled(store.pool, held["id"]))  # as its time to live does
        store.advance(after_ms)

        assert store.settle(held["id"], output_tokens=7, at_ms=began) == (
            "late" if after_ms > 24 * HOUR_MS else ""
        )
        assert [row["output_tokens"] for row in store.rows()] == [7]
        assert store.used("k")["output_tokens"] == 7

    def test_its_lease_ran_out(self, store: StoreOfTest) -> None:
        """The difference to its bound is recorded, three weeks later as well as a minute later."""
        held = store.admit(output_tokens=50)
        began = store.now
        store.advance(TTL_MS)
        store.renew()
        assert store.client.pttl(keys.request(store.pool, held["id"])) > 29 * 24 * HOUR_MS
        store.advance(21 * 24 * HOUR_MS)

        store.settle(held["id"], output_tokens=7, at_ms=began)
        assert store.used("k")["output_tokens"] == 7
        assert [row["source"] for row in store.rows()] == ["estimated", "corrected"]


def test_names_in_roll_ups_are_bounded(store: StoreOfTest) -> None:
    """Of one key and day; further models are added up under one name, and the ledger balances."""
    store.key("other")
    for number in range(130):
        reply = store.admit(model=f"junk-{number}")
        store.settle(reply["id"], model=f"junk-{number}", output_tokens=1, day_ms=START_MS)
    store.settle(store.admit(key="other", model="m")["id"], key="other", model="m", output_tokens=1)

    for span in ("h", "d"):
        models = {figure.split("|")[2] for (_, figure) in store.rolled_up(span) if figure.startswith("k|")}
        assert len(models) == 101
        totals = {figure: n for (_, figure), n in store.rolled_up(span).items()}
        assert totals["k|a|(other)|output_tokens"] == 30
        assert totals["other|a|m|output_tokens"] == 1
    assert Verification(LedgerRepository(Scripts(store.client)), store.pool).differences() == []

"""Attempts are counted at the account that made them, once, in totals, roll-ups and summaries alike."""

from __future__ import annotations

import time
from collections import Counter
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.accounts.account_reading import failures_in_a_row
from app.ledger.attempts import attempt_figures
from app.ledger.known_totals import KnownTotals
from app.ledger.series import UsageSeries
from app.ledger.summaries import Summaries
from app.ledger.sums import SUMMARY_FIGURES, complete
from app.ledger.verify import Verification
from app.stores import keys
from app.stores.client import make_client
from app.stores.ledger import LedgerRepository
from app.stores.scripts import Scripts
from app.stores.summaries import SummaryRepository
from app.stores.usage import UsageRepository
from tests.support.ledger_rows import record_request
from tests.support.store import POOL, START_MS, StoreOfTest

ACCOUNTS = ("a", "b", "c")
Attempts = list[dict[str, Any]]


def failed(account: str, failure: str = "server_error", scope: str = "account, briefly") -> dict[str, Any]:
    return {"account": account, "wire": "chat", "failure": failure, "scope": scope}


def fine(account: str) -> dict[str, Any]:
    return {"account": account, "wire": "chat"}


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    store.key("k")
    for account in ACCOUNTS:
        store.account(account)
    return store


def settle(store: StoreOfTest, attempts: Attempts, status: int = 200) -> None:
    account = attempts[-1]["account"]
    store.settle(store.admit()["id"], account=account, attempts=attempts, status=status)


def totals(store: StoreOfTest, account: str) -> dict[str, int]:
    stored = store.state(account)
    names = [name for name in stored if name in ("attempts", "failed_attempts", "rescues") or ":" in name]
    return {name: int(stored[name]) for name in names}


def test_one_success_is_counted_as_the_request(store: StoreOfTest) -> None:
    """The usual row has no more figures in its roll-ups, and no mark."""
    settle(store, [fine("a")])

    assert totals(store, "a") == {"attempts": 1}
    assert {name for _, name in store.rolled_up("h")} == {"k|a|m|requests"}
    assert "attempts_counted" not in store.rows()[0]


def test_rescued(store: StoreOfTest) -> None:
    settle(store, [failed("a"), failed("a", "cut"), fine("b")])

    assert totals(store, "a") == {
        "attempts": 2,
        "failed_attempts": 2,
        "rescues": 2,
        "failed:server_error": 1,
        "failed:cut": 1,
    }
    assert totals(store, "b") == {"attempts": 1}


def test_not_rescued(store: StoreOfTest) -> None:
    """No account answered, or the same account did, or the request itself was wrong."""
    settle(store, [failed("a"), failed("b")], status=502)
    settle(store, [failed("a"), fine("a")])
    settle(store, [failed("c", "caller", "request")], status=400)

    assert totals(store, "a") == {"attempts": 3, "failed_attempts": 2, "failed:server_error": 2}
    assert totals(store, "c") == {"attempts": 1, "failed:caller": 1}


def test_a_fallback_model_is_no_rescue(store: StoreOfTest) -> None:
    """Its answer is an entry of its own, which does not change what is counted at the first account."""
    settle(store, [failed("a")], status=502)
    later = {"fallback_of": "r1", "fallbacks": 1, "failed_before": 1}
    store.settle(store.admit()["id"], account="b", attempts=[fine("b")], model="n", **later)

    assert totals(store, "a") == {"attempts": 1, "failed_attempts": 1, "failed:server_error": 1}


def streak(store: StoreOfTest, account: str) -> int:
    """Return how often it has failed in a row, as the checks of accounts read it."""
    return failures_in_a_row(store.state(account))


def test_failures_in_a_row(store: StoreOfTest) -> None:
    """Failures count whichever account answered; a success resets them, caller errors do not count."""
    missing = failed("a", "endpoint_missing", "request")
    settle(store, [missing, fine("b")])
    settle(store, [missing], status=404)
    settle(store, [failed("a", "caller", "request")], status=400)
    settle(store, [failed("a"), failed("a", "cut")], status=502)

    assert (streak(store, "a"), store.state("a")["streak_of"]) == (4, "cut")
    assert streak(store, "b") == 0

    settle(store, [fine("a")])
    assert streak(store, "a") == 0
    settle(store, [failed("a"), fine("a")])
    assert streak(store, "a") == 0
    settle(store, [missing], status=404)
    assert (streak(store, "a"), store.state("a")["streak_of"]) == (1, "endpoint_missing")


def test_an_account_that_is_changed_or_resumed_begins_again(store: StoreOfTest) -> None:
    for change in (lambda: store.account("a"), lambda: store.set_state("a", "active")):
        settle(store, [failed("a")], status=502)
        assert streak(store, "a") == 1
        change()
        assert streak(store, "a") == 0


def test_late_settlement(store: StoreOfTest) -> None:
    """A lease that ran out is one request; its attempts come with the settlement, once."""
    late = store.admit()
    store.advance(100_000)
    settle(store, [fine("b")])
    store.settle(late["id"], account="a", attempts=[failed("b"), fine("a")])
    store.settle(late["id"], account="a", attempts=[failed("b"), fine("a")])

    assert totals(store, "b") == {
        "attempts": 2,
        "failed_attempts": 1,
        "rescues": 1,
        "failed:server_error": 1,
    }
    assert totals(store, "a") == {"attempts": 1}
    assert Verification(LedgerRepository(Scripts(store.client)), POOL).differences() == []


def test_removed_account(store: StoreOfTest) -> None:
    """Its totals go with it; a request that ends later brings nothing back."""
    admitted = store.admit()
    store.remove("a")
    store.settle(admitted["id"], account="b", attempts=[failed("a"), fine("b")])

    assert store.state("a") == {}


def test_summaries_from_before(redis_client: Any) -> None:
    """A stored summary without attempts reads as one attempt for each request."""
    old = [7, 2] + [0] * (SUMMARY_FIGURES.index("attempts") - 2)
    redis_client.hset(keys.summary(POOL, "h", 3600), "all", orjson.dumps({"": old}))

    ((amounts,),) = [
        sums.values() for sums in summaries(redis_client).read(POOL, "h", [3600], "all", over=9999)
    ]
    assert amounts[SUMMARY_FIGURES.index("attempts") :] == [7, 0, 0, 0, 0]
    assert len(amounts) == len(SUMMARY_FIGURES)


@pytest.mark.parametrize("length", [SUMMARY_FIGURES.index("fallbacks"), len(SUMMARY_FIGURES)])
def test_what_is_stored_without_fallbacks(length: int) -> None:
    """Summaries, breakdowns and measurements of an older version read as those without fallbacks."""
    amounts = [*range(1, SUMMARY_FIGURES.index("fallbacks") + 1), 0, 0]

    assert complete({"k": amounts[:length]}) == {"k": amounts}


class TestAnyRows:
    rows = st.lists(
        st.tuples(
            st.lists(
                st.builds(
                    lambda account, kind: failed(account, *kind) if kind else fine(account),
                    st.sampled_from(ACCOUNTS),
                    st.sampled_from([None, ("server_error", "account, briefly"), ("caller", "request")]),
                ),
                min_size=1,
                max_size=6,
            ),
            st.sampled_from([200, 499, 502]),
        ),
        max_size=5,
    )

    @settings(max_examples=40)
    @given(rows=rows)
    def test_everything_adds_up(self, redis_url: str, rows: list[tuple[Attempts, int]]) -> None:
        """Totals, roll-ups, the twin in Python and the verification of the ledger agree."""
        client = make_client(redis_url, 5.0)
        client.flushall()
        store = StoreOfTest(client)
        store.key("k")
        for account in ACCOUNTS:
            store.account(account)
        for attempts, status in rows:
            settle(store, attempts, status)

        made = Counter(attempt["account"] for attempts, _ in rows for attempt in attempts)
        used = UsageRepository(Scripts(client)).since(
            POOL, date.fromtimestamp(START_MS / 1000 - 86400), "account"
        )
        for account in ACCOUNTS:
            counted = totals(store, account)
            assert counted.get("attempts", 0) == made[account]
            assert used.get(account, {}).get("attempts", 0) == made[account]
            for figure in ("failed_attempts", "rescues"):
                assert used.get(account, {}).get(figure, 0) == counted.get(figure, 0)
        for row in store.rows():
            assert bool(attempt_figures(row)) == bool(row.get("attempts_counted"))
        assert Verification(LedgerRepository(Scripts(client)), POOL).differences() == []
        client.close()


def test_series_by_account(redis_client: Any) -> None:
    """The last hour is read from rows, the last day from roll-ups: both have the same figures."""
    scripts = Scripts(redis_client)
    record_request(scripts, POOL, time.time(), account="b", attempts=[failed("a"), failed("a"), fine("b")])

    for span in ("1h", "24h"):
        found = UsageSeries(scripts).series(POOL, span, "account").totals()
        names = ("requests", "attempts", "failed_attempts", "rescues")
        assert [found["a"][name] for name in names] == [0, 2, 2, 2]
        assert [found["b"][name] for name in names] == [1, 1, 0, 0]


def test_what_another_account_answered_was_no_fault_of_the_request(store: StoreOfTest) -> None:
    """A missing endpoint or parameter, or slowness, is reported where another account succeeds."""
    settle(store, [failed("a", "endpoint_missing", "request"), failed("a", "slow", "request"), fine("b")])

    figures = totals(store, "a")

    assert (figures["attempts"], figures["failed_attempts"], figures["rescues"]) == (2, 2, 2)
    assert Verification(LedgerRepository(Scripts(store.client)), POOL).differences() == []


def summaries(client: Any) -> Summaries:
    return Summaries(LedgerRepository(Scripts(client)), SummaryRepository(Scripts(client)), KnownTotals())

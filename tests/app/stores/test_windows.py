"""Limits: which amounts fit, and the effects of an edit, the end of a window or an odd clock."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.store import START_MS, StoreOfTest, limit

SECOND_MS = 1000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000


@pytest.fixture
def store(store: StoreOfTest) -> StoreOfTest:
    store.account("a", cap=1000)
    return store


def spend(store: StoreOfTest, tokens: int, **more: Any) -> dict[str, Any]:
    """Admit a request of *tokens* output tokens and settle it, if it fits."""
    reply = store.admit(output_tokens=tokens, **more)
    if "refused" not in reply:
        store.settle(reply["id"], output_tokens=tokens)
    return reply


class TestBucket:
    """Per second and per minute."""

    @pytest.mark.parametrize(("per", "period_ms"), [("second", SECOND_MS), ("minute", MINUTE_MS)])
    def test_wait_is_exact(self, store: StoreOfTest, per: str, period_ms: int) -> None:
        """A refusal names the first millisecond at which the same request fits."""
        store.key("k", limit("l", "output_tokens", per, 90))
        spend(store, 90)
        refused = store.admit(output_tokens=60)

        assert (refused["why"], refused["wait_ms"]) == ("spent", -(-period_ms * 2 // 3))
        store.advance(refused["wait_ms"] - 1)
        assert store.admit(output_tokens=60)["refused"] == "limit"
        store.advance(1)
        assert store.admit(output_tokens=60)["account"] == "a"

    def test_held(self, store: StoreOfTest) -> None:
        """Reservations of other requests do not drain: it is unknown when they end."""
        store.key("k", limit("l", "output_tokens", "minute", 90))
        store.admit(output_tokens=80)
        store.advance(MINUTE_MS // 6)

        refused = store.admit(output_tokens=11)
        assert (refused["why"], refused["wait_ms"], refused["held"]) == ("held", 0, 80)
        assert store.admit(output_tokens=10)["account"] == "a"

    def test_edit_retains_usage(self, store: StoreOfTest) -> None:
        store.key("k", limit("l", "requests", "minute", 100))
        for _ in range(40):
            store.admit()
        store.key("k", limit("l", "requests", "minute", 20))

        refused = store.admit()
        assert (refused["why"], refused["settled"]) == ("spent", 40)
        assert refused["wait_ms"] == 21 * MINUTE_MS // 20

    def test_edit_drains_at_the_new_rate(self, store: StoreOfTest) -> None:
        """The new rate applies from the first check, even if that check admits nothing."""
        store.key("k", limit("l", "requests", "minute", 6000))
        for _ in range(30):
            store.admit()
        store.key("k", limit("l", "requests", "minute", 2))
        assert store.admit()["settled"] == 30

        store.advance(MINUTE_MS)
        assert store.admit()["settled"] == 28

    def test_clock_back(self, store: StoreOfTest) -> None:
        """After a failover to a slower clock, nothing is charged and nothing drains."""
        store.key("k", limit("l", "requests", "minute", 2))
        store.admit()
        store.admit()
        store.advance(-HOUR_MS)

        refused = store.admit()
        assert (refused["settled"], refused["wait_ms"]) == (2, MINUTE_MS // 2)
        store.advance(MINUTE_MS // 2 - 1)
        assert store.admit()["refused"] == "limit"
        store.advance(1)
        assert store.admit()["account"] == "a"

    @pytest.mark.parametrize("back_ms", [1, 5000, MINUTE_MS, MINUTE_MS + 1, HOUR_MS, 365 * 24 * HOUR_MS])
    def test_clock_ahead_and_back(self, store: StoreOfTest, back_ms: int) -> None:
        """A full limit is open again after a period at most, however far the clock had been ahead."""
        store.key("k", limit("l", "requests", "minute", 2))
        store.advance(back_ms)
        store.admit()
        store.admit()
        store.advance(-back_ms)

        refused = store.admit()
        assert refused["settled"] == 2
        assert MINUTE_MS // 2 <= refused["wait_ms"] <= MINUTE_MS // 2 + min(back_ms, MINUTE_MS)
        store.advance(refused["wait_ms"])
        assert store.admit()["account"] == "a"

    def test_a_clock_that_swings_gives_nothing_away(self, store: StoreOfTest) -> None:
        """If two servers with different clocks alternate, no more fits than on the one that is ahead."""
        store.key("k", limit("l", "requests", "minute", 2))
        store.admit()
        store.admit()
        for _ in range(20):
            store.advance(5000)
            assert store.admit()["refused"] == "limit"
            store.advance(-5000)
            assert store.admit()["refused"] == "limit"

    def test_late_settlement_gives_nothing_back(self, store: StoreOfTest) -> None:
        """What an expired lease was charged drains by itself; only more than that is added."""
        store.key("k", limit("l", "output_tokens", "minute", 100))
        less, more = store.admit(output_tokens=10), store.admit(output_tokens=10)
        store.advance(30_000)
        store.renew()
        before = store.counters("l")["q"]

        store.settle(less["id"], output_tokens=4)
        assert store.counters("l")["q"] == before
        store.settle(more["id"], output_tokens=13)
        assert store.counters("l")["q"] == before + 3 * MINUTE_MS


class TestCalendar:
    def test_rolls_over_on_the_pools_midnight(self, store: StoreOfTest) -> None:
        """Berlin's 29 March 2026 began an hour before UTC's and has 23 hours."""
        store.key("k", limit("l", "requests", "day", 1))
        store.admit()
        refused = store.admit()

        assert refused["reset_ms"] == START_MS + 22 * HOUR_MS
        assert refused["wait_ms"] == 22 * HOUR_MS
        store.set_clock(refused["reset_ms"] - 1)
        assert store.admit()["refused"] == "limit"
        store.set_clock(refused["reset_ms"])
        assert store.admit()["account"] == "a"

    @pytest.mark.parametrize("per", ["hour", "day", "month"])
    def test_clock_ahead_and_back(self, store: StoreOfTest, per: str) -> None:
        """All amounts count in the window of the corrected clock; the next window starts at zero."""
        store.key("k", limit("l", "output_tokens", per, 100))
        before = store.admit(output_tokens=40, ttl_ms=10**12)
        spend(store, 10)
        store.advance(400 * 24 * HOUR_MS)
        ahead = store.admit(output_tokens=30, ttl_ms=10**12)
        store.advance(-400 * 24 * HOUR_MS)

        refused = store.admit(output_tokens=21)
        assert (refused["refused"], refused["settled"], refused["held"]) == ("limit", 40, 40)
        store.settle(before["id"], output_tokens=40)
        store.settle(ahead["id"], output_tokens=30)
        assert store.admit(output_tokens=20)["account"] == "a"
        assert store.counters("l")["h"] == 20
        store.set_clock(refused["reset_ms"])
        assert store.admit(output_tokens=100)["account"] == "a"

    def test_settles_where_it_was_held(self, store: StoreOfTest) -> None:
        """A request that began yesterday settles in yesterday's window."""
        store.key("k", limit("l", "output_tokens", "hour", 100))
        old = store.admit(output_tokens=60)
        store.advance(HOUR_MS)
        new = store.admit(output_tokens=100)
        store.settle(old["id"], output_tokens=50)

        assert new["account"] == "a"
        assert store.counters("l") == {"b": START_MS + HOUR_MS, "s": 0, "h": 100, "m": 100} | {
            "pb": START_MS,
            "ps": 50,
            "ph": 0,
        }

    def test_settles_in_no_window_that_is_gone(self, store: StoreOfTest) -> None:
        """Two windows later only the ledger records the usage."""
        store.key("k", limit("l", "output_tokens", "hour", 100))
        old = store.admit(output_tokens=60)
        for _ in range(2):
            store.advance(HOUR_MS)
            store.renew(old["id"])
            spend(store, 1)
        before = store.counters("l")
        store.settle(old["id"], output_tokens=50)

        assert store.counters("l") == before
        assert store.rows()[-1]["output_tokens"] == 50

    def test_clock_back_over_a_boundary(self, store: StoreOfTest) -> None:
        """A window that has begun is not left again, so nothing charged in it is forgotten."""
        store.key("k", limit("l", "requests", "hour", 1))
        store.advance(HOUR_MS)
        store.admit()
        store.advance(-1)
        assert store.admit()["refused"] == "limit"
        store.advance(1)

        assert store.admit()["refused"] == "limit"

    def test_callers_calendar_is_old(self, store: StoreOfTest) -> None:
        """The next window is known too; after it the caller has to send another calendar."""
        store.key("k", limit("l", "requests", "hour", 1))
        calendar = store.calendar()
        store.advance(2 * HOUR_MS - 1)
        assert store.admit(calendar=calendar)["account"] == "a"
        store.advance(1)

        assert store.admit(calendar=calendar)["refused"] == "calendar"
        assert store.admit()["account"] == "a"

    def test_edit_retains_usage(self, store: StoreOfTest) -> None:
        store.key("k", limit("l", "output_tokens", "ever", 100))
        spend(store, 60)
        store.key("k", limit("l", "output_tokens", "ever", 80))

        assert store.admit(output_tokens=21)["why"] == "spent"
        assert store.admit(output_tokens=20)["account"] == "a"


class TestAmounts:
    def test_enforced_to_the_unit(self, store: StoreOfTest) -> None:
        """Near the largest limits there are, nothing is rounded."""
        ever, bucket = (
            limit("l", "output_tokens", "ever", 10**13),
            limit("b", "output_tokens", "minute", 10**11),
        )
        store.key("k", ever, bucket)
        held = store.admit(output_tokens=10**11 - 1)
        assert store.counters("l")["h"] == 10**11 - 1

        store.settle(held["id"], output_tokens=10**11 - 3)
        assert store.counters("l") | {"s": 10**11 - 3, "h": 0} == store.counters("l")
        assert store.counters("b")["q"] == (10**11 - 3) * MINUTE_MS
        assert store.rows()[-1]["output_tokens"] == 10**11 - 3

    def test_sums_are_integers(self, store: StoreOfTest) -> None:
        """Roll-ups count beyond the range in which doubles are exact."""
        for _ in range(3):
            reply = store.admit()
            store.settle(reply["id"], cost=2**52 + 1, output_tokens=0)

        assert 3 * (2**52 + 1) in store.rolled_up("d").values()

    @pytest.mark.parametrize("amount", [10**13, 2**63 - 1])
    def test_absurd(self, store: StoreOfTest, amount: int) -> None:
        """An absurdly large amount is no bound: a strict limit refuses, and nothing fails."""
        assert store.admit(output_tokens=amount)["account"] == "a"
        store.advance(30_000)
        store.renew()
        assert "output_tokens" not in store.rows()[-1]

        store.key("k", limit("l", "output_tokens", "ever", 10**14))
        assert store.admit(output_tokens=amount)["why"] == "unbounded"

    def test_negative_or_broken(self, store: StoreOfTest) -> None:
        """A negative amount, which would make room for others, counts as zero; fractions are rounded up."""
        store.key("k", limit("l", "output_tokens", "ever", 10))
        store.admit(output_tokens=-5)
        store.admit(output_tokens=2.5)

        assert store.counters("l")["h"] == 3


class TestRefusal:
    def test_the_worst_is_reported(self, store: StoreOfTest) -> None:
        """Limits that can never fit come first, then spent ones (longest wait first), then held ones."""
        daily, monthly = limit("d", "requests", "day", 1), limit("m", "requests", "month", 1)
        parallel, tokens = limit("p", "parallel_requests", "none", 1), limit("t", "output_tokens", "hour", 5)
        store.key("k", parallel, daily, monthly, tokens)
        store.admit(output_tokens=1)

        assert store.admit(output_tokens=6)["limit"]["id"] == "t"
        assert store.admit(output_tokens=1)["limit"]["id"] == "m"
        store.key("k", parallel)
        assert store.admit()["why"] == "held"

    def test_costs_nothing(self, store: StoreOfTest) -> None:
        """The limit that had room is not charged for the one that had none."""
        store.key("k", limit("r", "requests", "day", 5), limit("t", "output_tokens", "day", 5))
        store.admit(output_tokens=6)

        assert store.counters("r")["s"] == 0

    def test_without_an_account_nothing_is_charged(self, store: StoreOfTest) -> None:
        store.key("k", limit("r", "requests", "minute", 5))
        store.set_state("a", "paused")

        assert store.admit()["states"] == {"paused": 1}
        assert store.counters("r") == {}


class TestModels:
    @pytest.mark.parametrize(
        ("pattern", "counts"),
        [("m", True), ("m*", True), ("*", True), ("*m", True), ("mm", False), ("m.", False), ("[m]", False)],
    )
    def test_pattern(self, store: StoreOfTest, pattern: str, counts: bool) -> None:
        """`*` stands for anything, every other character for itself."""
        store.key("k", limit("l", "requests", "day", 5, model=pattern))
        store.admit()

        assert (store.counters("l").get("s") == 1) is counts

    @pytest.mark.parametrize(
        ("pattern", "model", "counts"),
        [
            ("gpt-5", "GPT-5", True),
            ("GPT-5*", "gpt-5-mini", True),
            ("gpt-5", "gpt-5-2025-08-07", True),
            ("gpt-5", "Gpt-5-2025-08-07", True),
            ("*5", "gpt-5-2025-08-07", True),
            ("gpt-5-2025-08-07", "gpt-5", False),
            ("gpt-5-2025-08-07", "gpt-5-2025-08-07", True),
            ("gpt-5", "gpt-5-mini-2025-08-07", False),
            ("gpt-5", "gpt-5-2025", False),
            ("gpt-5", "gpt-5-mini", False),
        ],
    )
    def test_other_names_of_the_same_model(
        self, store: StoreOfTest, pattern: str, model: str, counts: bool
    ) -> None:
        """Upstreams take other letter case, and a dated snapshot, for the same model."""
        store.key("k", limit("l", "requests", "day", 5, model=pattern))
        store.admit(model=model)

        assert (store.counters("l").get("s") == 1) is counts

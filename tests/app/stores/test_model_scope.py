"""The state of one model at one account: bounded, by name, and removed in time."""

from __future__ import annotations

from typing import Any

import pytest

from app.stores import keys
from tests.support.store import StoreOfTest

MISSING_MS = 300_000


@pytest.fixture
def store(store: StoreOfTest) -> StoreOfTest:
    for name in "abc":
        store.account(name)
    return store


def serve(store: StoreOfTest, account: str, mark: dict[str, Any], model: str = "m") -> None:
    store.settle(store.admit(pin=account, model=model)["id"], mark)


def rest(store: StoreOfTest, account: str, model: str, why: str, wait_ms: int) -> None:
    serve(store, account, {"model": model, "why": why, "wait_ms": wait_ms}, model)


def soft(model: str) -> dict[str, Any]:
    return {"soft": True, "asked": model, "reason": "server_error", "base_ms": 2000, "most_ms": 15_000}


def observe(store: StoreOfTest, account: str, listed: str) -> None:
    store.scripts.run_raw("observe_account", store.pool, {"account": account, "fields": {"listed": listed}})


def commands(store: StoreOfTest, model: str) -> int:
    """Return how many commands one refused admission runs inside its script."""
    before = calls(store)
    assert store.admit(model=model)["refused"] == "no_accounts"
    return calls(store) - before


def calls(store: StoreOfTest) -> int:
    return sum(each["calls"] for each in store.client.info("commandstats").values())


class TestMissing:
    def test_is_remembered_for_a_while(self, store: StoreOfTest) -> None:
        rest(store, "a", "x", "missing", MISSING_MS)

        assert store.admit(pin="a", model="x")["refused"] == "no_accounts"
        assert store.admit(pin="a")["account"] == "a"
        store.advance(MISSING_MS + 1)
        assert store.admit(pin="a", model="x")["account"] == "a"

    def test_is_forgotten_when_the_list_of_models_changes(self, store: StoreOfTest) -> None:
        observe(store, "a", '["m"]')
        rest(store, "a", "x", "missing", MISSING_MS)
        observe(store, "a", '["m"]')
        assert store.admit(pin="a", model="x")["refused"] == "no_accounts"

        observe(store, "a", '["m","x"]')
        assert store.admit(pin="a", model="x")["account"] == "a"

    def test_is_forgotten_when_the_account_is_changed(self, store: StoreOfTest) -> None:
        rest(store, "a", "x", "missing", MISSING_MS)
        store.account("a", cap=7)

        assert store.admit(pin="a", model="x")["account"] == "a"

    def test_however_many_names_are_tried(self, store: StoreOfTest) -> None:
        """A refusal costs the same after a thousand, and an account stores a bounded number."""
        for name in "abc":
            rest(store, name, "x", "missing", MISSING_MS)
        first = commands(store, "x")
        for number in range(1000):
            rest(store, "a", f"junk-{number}", "missing", MISSING_MS)
        for name in "abc":
            rest(store, name, "x", "missing", MISSING_MS)

        assert commands(store, "x") <= first
        assert store.client.zcard(f"{keys.root(store.pool)}lacks:a") <= 64

    def test_unknown_names_do_not_evict_real_models(self, store: StoreOfTest) -> None:
        rest(store, "a", "m", "overloaded", 5000)
        for number in range(200):
            rest(store, "a", f"junk-{number}", "missing", MISSING_MS)

        assert store.admit(pin="a")["refused"] == "no_accounts"

    def test_leaves_nothing_behind(self, store: StoreOfTest) -> None:
        """Also for names that are never requested again."""
        rest(store, "a", "x", "missing", MISSING_MS)

        assert 0 < store.client.pttl(f"{keys.root(store.pool)}lacks:a") <= MISSING_MS + 1


class TestLimited:
    def test_rests_the_model_alone(self, store: StoreOfTest) -> None:
        rest(store, "a", "m", "limited", 3000)

        assert store.state("a")["state"] == "active"
        assert store.admit(pin="a")["refused"] == "no_accounts"
        assert store.admit(pin="a", model="n")["account"] == "a"

    def test_second_model_within_a_minute(self, store: StoreOfTest) -> None:
        """The account is limited then."""
        rest(store, "a", "m", "limited", 3000)
        store.advance(59_000)
        rest(store, "a", "n", "limited", 3000)

        assert store.state("a")["state"] == "burst_limited"
        store.advance(3000)
        assert store.admit(pin="a", model="o")["account"] == "a"

    def test_same_model_again_or_another_one_later(self, store: StoreOfTest) -> None:
        rest(store, "a", "m", "limited", 1)
        store.advance(10_000)
        rest(store, "a", "m", "limited", 1)
        store.advance(61_000)
        rest(store, "a", "n", "limited", 1)

        assert store.state("a")["state"] == "active"

    def test_never_for_long(self, store: StoreOfTest) -> None:
        """Daily limits of two models do not affect other models."""
        for model in "mn":
            rest(store, "a", model, "limited", 80_000_000)
        store.advance(60_000)

        assert store.admit(pin="a", model="o")["account"] == "a"


class TestSuspicion:
    def test_never_of_the_last_that_serves_the_model(self, store: StoreOfTest) -> None:
        """The last account of a model is never suspected, however many accounts serve other models."""
        store.account("only", models=("x",))
        for name in "abc":
            store.account(name, models=("m",))
        serve(store, "only", soft("x"), "x")

        assert store.state("only")["state"] == "active"
        assert store.admit(model="x")["account"] == "only"

    def test_a_quarter_of_those_that_serve_the_model(self, store: StoreOfTest) -> None:
        """Accounts for other models do not count: of three accounts only one may be suspected."""
        for number in range(12):
            store.account(f"other-{number}", models=("y",))
        for name in "abc":
            store.account(name, models=("m",))
            serve(store, name, soft("m"))

        assert sorted(store.state(name)["state"] for name in "abc") == ["active", "active", "suspected"]

    @pytest.mark.parametrize("is_settled", [True, False])
    @pytest.mark.parametrize("bound_to", [("a",), ("a", "b")])
    def test_never_of_the_last_that_its_key_may_use(
        self, store: StoreOfTest, bound_to: tuple[str, ...], is_settled: bool
    ) -> None:
        """A key that is bound to accounts has no others, however many the pool has."""
        store.set_state("b", "paused")
        store.key("bound", accounts=bound_to)
        request = store.admit(key="bound")["id"]
        if is_settled:
            store.settle(request, soft("m"), key="bound", status=502)
        else:
            store.report(request, 1, soft("m"), key="bound", tried=["a"])

        assert store.state("a")["state"] == "active"
        assert store.admit(key="bound")["account"] == "a"

    def test_of_one_whose_key_may_use_another(self, store: StoreOfTest) -> None:
        store.key("bound", accounts=("a", "b"))
        failed = store.admit(key="bound")
        store.settle(failed["id"], soft("m"), key="bound", account=failed["account"], status=502)

        assert store.state(failed["account"])["state"] == "suspected"

    def test_who_lacks_the_model_does_not_count(self, store: StoreOfTest) -> None:
        store.remove("c")
        rest(store, "b", "m", "missing", MISSING_MS)
        serve(store, "a", soft("m"))

        assert store.state("a")["state"] == "active"
        assert store.admit()["account"] == "a"

    def test_takes_no_other_model_from_its_callers(self, store: StoreOfTest) -> None:
        """The last account of another model still serves that model; only the failed one rests there."""
        store.account("a", models=("m", "n"))
        for name in "bc":
            store.account(name, models=("m",))
        serve(store, "a", soft("m"))

        assert store.state("a")["state"] == "active"
        assert store.admit(pin="a")["refused"] == "no_accounts"
        assert store.admit(model="n")["account"] == "a"
        store.advance(2001)
        assert store.admit(pin="a")["account"] == "a"

    def test_marks_of_a_process_of_an_earlier_version(self, store: StoreOfTest) -> None:
        """They name no model, and no reason."""
        serve(store, "a", {"soft": True, "reason": "cut", "base_ms": 1000, "most_ms": 20_000})
        serve(store, "b", {"model": "m", "wait_ms": 5000})

        assert store.state("a")["state"] == "suspected"
        assert store.admit(pin="b")["refused"] == "no_accounts"

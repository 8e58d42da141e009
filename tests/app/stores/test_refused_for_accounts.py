"""The errors that clients receive if no account can serve a request."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.verdicts import LONG_RESET_SECONDS
from app.errors import CredentialUnreadable, GatewayError, ModelNotFound, NoAccounts, PoolLimited, PoolSpent
from app.relay.no_account import no_account_error
from app.stores.records.admission import Refusal, selection_or_refusal
from tests.support.store import START_MS, StoreOfTest

HOUR_MS = 3_600_000
SPENT = {"state": "window_spent", "reason": "usage_limit_reached"}
DEAD = {"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0}
MISSING = {"model": "m", "why": "missing", "wait_ms": 300_000}
LIMITED = {"model": "m", "why": "limited", "wait_ms": 7000}
BURST = {"state": "burst_limited", "reason": "429", "wait_ms": 2000, "retest_wait_ms": 2000}
WAITS = {"wait_ms", "retest_wait_ms"}
SUSPECTED = {"soft": True, "asked": "m", "reason": "server_error", "base_ms": 2000, "most_ms": 15_000}


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    for name in "abc":
        store.account(name, cap=2)
    store.key("k")
    return store


def serve(store: StoreOfTest, account: str, mark: dict[str, Any]) -> None:
    store.settle(store.admit(pin=account)["id"], mark)


def error_of(store: StoreOfTest, **more: Any) -> GatewayError:
    reply = store.admit(**more)
    return error_for(reply)


def error_for(reply: dict[str, Any], native_field: str | None = None) -> GatewayError:
    refusal = selection_or_refusal(reply)
    assert isinstance(refusal, Refusal)
    assert refusal.accounts is not None
    return no_account_error(refusal.accounts, refusal.now_ms, native_field)


class TestUnreadable:
    """The sending process cannot decrypt the credentials of the accounts; the message names that process."""

    def test_all_that_could_serve(self, store: StoreOfTest) -> None:
        store.set_state("c", "paused")
        reply = store.admit(unreadable=["a", "b"])

        assert isinstance(error_for(reply), CredentialUnreadable)
        assert (reply.get("rest_ms"), reply["busy"]) == (None, 0)  # so that no caller waits for them

    def test_some(self, store: StoreOfTest) -> None:
        """The state of the other accounts decides, because a process that has the key can use this one."""
        serve(store, "c", SPENT | {"wait_ms": HOUR_MS})
        assert isinstance(error_of(store, unreadable=["a", "b"]), PoolSpent)

        assert store.admit(unreadable=["a"])["account"] == "b"
        assert store.admit(pin="a")["account"] == "a"


class TestSpent:
    def test_earliest_reset_of_those_that_could_serve(self, store: StoreOfTest) -> None:
        """Every caller receives it, with the time in words; paused accounts do not count."""
        for name, seconds in {"a": 144_000, "b": 43_680, "c": 60}.items():
            serve(store, name, SPENT | {"wait_ms": 1000 * seconds})
        store.set_state("c", "paused")

        for _ in range(2):
            error = error_of(store)
            assert isinstance(error, PoolSpent)
            assert error.message == (
                "The usage limit of every account that could serve this request is reached; "
                "the first is reset in 12 h 8 min"
            )
            body = error.envelope()["error"]
            assert (error.status, body["type"], body["code"]) == (
                429,
                "usage_limit_reached",
                "usage_limit_reached",
            )
            assert body["resets_at"] == START_MS // 1000 + 43_680
            assert body["resets_in_seconds"] == 43_680

    def test_of_one_model(self, store: StoreOfTest) -> None:
        """An account that lacks the model, or takes others only, changes nothing."""
        store.account("d", models=("n",))
        serve(store, "a", MISSING)
        for name in "bc":
            serve(store, name, SPENT | {"wait_ms": HOUR_MS})

        assert isinstance(error_of(store), PoolSpent)
        assert store.admit(model="n")["account"] in "ad"

    def test_one_that_only_fails_is_worth_another_try(self, store: StoreOfTest) -> None:
        for name in "ab":
            serve(store, name, SPENT | {"wait_ms": HOUR_MS})
        serve(store, "c", {"state": "suspected", "reason": "x", "wait_ms": 2000, "retest_wait_ms": 2000})

        error = error_of(store)
        assert (error.status, type(error)) == (503, NoAccounts)
        assert error.retry_after_seconds == 2

    @pytest.mark.parametrize("limited", [LIMITED, BURST], ids=["model", "account"])
    @pytest.mark.parametrize(
        ("seconds", "error"), [(LONG_RESET_SECONDS, PoolLimited), (LONG_RESET_SECONDS + 1, PoolSpent)]
    )
    def test_a_limit_that_lasts(
        self, store: StoreOfTest, limited: dict[str, Any], seconds: float, error: type[GatewayError]
    ) -> None:
        """Clients try again after a rate limit, and stop at a usage limit; the first end counts."""
        serve(store, "a", limited | dict.fromkeys(limited.keys() & WAITS, 1000 * seconds))
        for name in "bc":
            serve(store, name, SPENT | {"wait_ms": HOUR_MS})

        found = error_of(store)

        assert type(found) is error
        assert found.retry_after_seconds == seconds

    def test_of_the_accounts_of_a_key(self, store: StoreOfTest) -> None:
        store.key("k", accounts=("a",))
        serve(store, "a", SPENT | {"wait_ms": HOUR_MS})

        assert isinstance(error_of(store), PoolSpent)


class TestStopped:
    """Only an operator makes these accounts available again; the message is not about any other account."""

    def test_of_several(self, store: StoreOfTest) -> None:
        for name in "ab":
            serve(store, name, DEAD)
        store.set_state("c", "paused")

        assert error_of(store).message == "All upstream accounts are paused or need a new sign-in or key"

    def test_where_others_do_not_fit(self, store: StoreOfTest) -> None:
        for name in "abc":
            store.set_state(name, "paused")
        store.account("d", kind="compatible")

        message = "All upstream accounts that could serve this request are paused"
        assert error_of(store, kinds=["openai"]).message == message


class TestModels:
    def test_missing_everywhere(self, store: StoreOfTest) -> None:
        for name in "abc":
            serve(store, name, MISSING)

        error = error_of(store)
        assert isinstance(error, ModelNotFound)
        assert error.message == "The model 'm' does not exist, or no account of this pool may use it"
        assert store.admit(model="n")["account"]

    def test_missing_where_others_are_dead(self, store: StoreOfTest) -> None:
        """Another account might have it: that is not a missing model."""
        for name in "ab":
            serve(store, name, MISSING)
        serve(store, "c", DEAD)

        assert error_of(store).message == (
            "All upstream accounts that could serve this request need a new sign-in or key"
        )

    def test_offered_by_no_account(self, store: StoreOfTest) -> None:
        for name in "abc":
            store.account(name, models=("n",))

        assert isinstance(error_of(store), ModelNotFound)

    def test_limited_everywhere(self, store: StoreOfTest) -> None:
        for name in "abc":
            serve(store, name, LIMITED)

        error = error_of(store)
        assert isinstance(error, PoolLimited)
        assert (error.status, error.retry_after_seconds) == (429, 7)

    def test_failing_everywhere(self, store: StoreOfTest) -> None:
        for name in "abc":
            serve(store, name, {"model": "m", "why": "overloaded", "wait_ms": 4000})

        error = error_of(store)
        assert (error.status, error.code, error.retry_after_seconds) == (503, "no_accounts", 4)


@pytest.mark.parametrize("more", [{"kinds": ["openai"]}, {"key": "bound"}])
def test_a_model_that_only_other_accounts_have(store: StoreOfTest, more: dict[str, Any]) -> None:
    """Not of the kind that the request names, or not for its key: trying again would not help."""
    store.account("d", kind="compatible", models=("only-d",))
    store.key("bound", accounts=("a",))
    for name in "abc":
        store.account(name, models=("m",))

    error = error_of(store, model="only-d", **more)

    assert isinstance(error, ModelNotFound)
    assert error.message == "No account that may serve this request offers the model 'only-d'"


def test_what_is_left_after_a_failure(redis_client: Any) -> None:
    """Accounts that are not tried again are not waited for, and count apart."""
    store = StoreOfTest(redis_client)
    store.key("k")
    for name in ("wrong", "rests"):
        store.account(name)
    suspicion = {"soft": True, "asked": "m", "reason": "reset", "base_ms": 9000, "most_ms": 9000}
    store.settle(store.admit("earlier", pin="rests")["id"], suspicion)
    assert store.admit("r")["account"] == "wrong"

    reply = store.report("r", 1, {"unanswered": "endpoint_missing"}, tried=["wrong"])

    assert (reply["able"], reply["left"]) == ({"busy": 1, "failing": 1}, {"failing": 1})
    assert reply["wait_ms"] == 9000
    reply = store.report("r", 1, tried=["wrong", "rests"])
    assert (reply["left"], reply["wait_ms"]) == ({}, 0)

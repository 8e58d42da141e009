"""The errors that clients receive if a limit refuses: the limit, its state and the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import (
    GatewayError,
    InvalidApiKey,
    InvalidRequest,
    NoAccounts,
    QuotaExceeded,
    StoreUnavailable,
    StreamIncomplete,
    UpstreamError,
    UpstreamRedirected,
    UpstreamUnreachable,
)
from app.relay.refusals import HELD_RETRY_SECONDS, RequestFacts, not_retried, refusal_error
from app.stores.records.admission import Refusal, selection_or_refusal
from app.streaming.upstream_errors import rejection_from_body
from tests.support.store import START_MS, StoreOfTest, limit

HOUR_MS = 3_600_000


def refused(reply: dict[str, Any], native_field: str | None = None) -> GatewayError:
    return refusal_error(refusal_of(reply), RequestFacts(native_field))


def refusal_of(reply: dict[str, Any]) -> Refusal:
    record = selection_or_refusal(reply)
    assert isinstance(record, Refusal)
    return record


@pytest.fixture
def store(redis_client: Any) -> StoreOfTest:
    store = StoreOfTest(redis_client)
    store.account("a", cap=2)
    store.key("k")
    return store


FAILURES = (
    UpstreamError("Cut"),
    StreamIncomplete("Cut"),
    UpstreamRedirected(301),
    UpstreamUnreachable("Reset", sent=True),
    rejection_from_body(503, b'{"error":{"message":"Busy","code":"busy"}}', {"retry-after": "3"}),
)


class TestNotTriedAgain:
    @pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
    def test_any_failure_is_explained(self, store: StoreOfTest, failure: UpstreamError) -> None:
        """Only the message of the error changes."""
        store.key("k", limit("l", "output_tokens", "day", 10))

        refused_retry = not_retried(failure, refusal_of(store.admit(output_tokens=11)))

        assert refused_retry.message.startswith(
            f"{failure.message}. It was not tried again: This API key's limit"
        )
        assert type(refused_retry) is type(failure)
        assert {**vars(refused_retry), "message": ""} == {**vars(failure), "message": ""}


class TestLimits:
    def test_spent(self, store: StoreOfTest) -> None:
        """The client may come back when the window has ended, to the second."""
        store.key("k", limit("l", "requests", "hour", 1, model="m*"))
        store.admit()

        error = refused(store.admit())
        assert isinstance(error, QuotaExceeded)
        assert error.message == (
            "This API key's limit of 1 request per hour for m* is used up; resets in 1 h "
            "(1 used, 0 reserved by running requests, 1 requested)"
        )
        assert (error.retry_after_seconds, error.resets_at) == (3600, (START_MS + HOUR_MS) / 1000)

    def test_spent_for_good(self, store: StoreOfTest) -> None:
        """A limit without a window has no retry time."""
        store.key("k", limit("l", "requests", "ever", 1))
        store.admit()

        error = refused(store.admit())
        assert "is used up and does not reset" in error.message
        assert (error.retry_after_seconds, error.resets_at) == (None, None)

    def test_held(self, store: StoreOfTest) -> None:
        store.pool_limits(limit("l", "total_tokens", "day", 100, scope="pool"))
        store.admit(input_tokens=30, output_tokens=40)

        error = refused(store.admit(output_tokens=50))
        assert error.message.startswith("The pool's limit of 100 tokens per day is reserved by other running")
        assert "0 used, 70 reserved by running requests, 50 requested" in error.message
        assert error.retry_after_seconds == HELD_RETRY_SECONDS

    def test_never(self, store: StoreOfTest) -> None:
        """A request that exceeds the limit has no retry time either: it has to be smaller."""
        store.key("k", limit("l", "output_tokens", "minute", 10))

        error = refused(store.admit(output_tokens=11))
        assert "can never fit this request, which may use up to 11 output tokens" in error.message
        assert error.retry_after_seconds is None

    def test_money(self, store: StoreOfTest) -> None:
        """Amounts of money are in dollars and waits are text; the exact wait is in the fields."""
        spent = {
            "refused": "limit",
            "why": "spent",
            "limit": {"id": "l", "what": "cost", "per": "month", "max": 5_000_000, "mode": "strict"},
            **{"settled": 4_999_999, "held": 0, "amount": 1_250, "now": START_MS, "wait_ms": 43_687_500},
        }
        error = refused(spent)
        assert error.message == (
            "This API key's limit of $5.00 per month has no room for this request; resets in 12 h 8 min "
            "($4.999999 used, $0.00 reserved by running requests, $0.00125 requested)"
        )
        assert error.retry_after_seconds == 43_687.5
        assert "$5.00 per month is used up; resets in" in refused(spent | {"settled": 5_000_000}).message

    def test_unbounded(self, store: StoreOfTest) -> None:
        store.key("k", limit("l", "output_tokens", "day", 10))

        error = refused(store.admit(bounds={"input_tokens": 3}))
        assert "set max_output_tokens (chat: max_completion_tokens)" in error.message


class TestKeys:
    @pytest.mark.parametrize(
        ("record", "why"), [({"state": "disabled"}, "disabled"), ({"expires_ms": START_MS}, "expired")]
    )
    def test_not_usable(self, store: StoreOfTest, record: dict[str, Any], why: str) -> None:
        """A key that was usable when the request arrived may no longer be usable at admission."""
        store.key("k", **record)

        error = refused(store.admit())
        assert isinstance(error, InvalidApiKey)
        assert error.message == f"This API key is {why}"

    def test_unknown(self, store: StoreOfTest) -> None:
        assert refused(store.admit(key="gone")).message == "This API key is unknown"


class TestAccounts:
    def error_of(self, store: StoreOfTest, **more: Any) -> GatewayError:
        error = refused(store.admit(), **more)
        assert isinstance(error, (NoAccounts, InvalidRequest))
        return error

    def test_none(self, store: StoreOfTest) -> None:
        store.remove("a")

        assert self.error_of(store).message == "No upstream accounts are configured in this pool"

    def test_all_paused(self, store: StoreOfTest) -> None:
        store.set_state("a", "paused")

        error = self.error_of(store)
        assert (error.message, error.retry_after_seconds) == ("All upstream accounts are paused", None)

    def test_all_dead(self, store: StoreOfTest) -> None:
        dead = {"state": "credential_dead", "reason": "401", "wait_ms": 0, "retest_wait_ms": 0}
        store.settle(store.admit()["id"], dead)

        assert self.error_of(store).message == "All upstream accounts need a new sign-in or key"

    def test_all_full(self, store: StoreOfTest) -> None:
        store.admit()
        store.admit()

        error = self.error_of(store)
        assert error.message == "No upstream account has room for this model just now"
        assert error.status == 429
        assert error.retry_after_seconds == HELD_RETRY_SECONDS

    def test_overloaded_everywhere(self, store: StoreOfTest) -> None:
        """The model is overloaded everywhere, and the end is known."""
        store.settle(store.admit()["id"], {"model": "m", "wait_ms": 7000})

        error = self.error_of(store)
        assert error.message == (
            "This model is overloaded or failing at every upstream account; try again in 7 s"
        )
        assert error.retry_after_seconds == 7

    def test_out_for_a_while(self, store: StoreOfTest) -> None:
        """The earliest return of an account is the retry time."""
        store.account("b")
        store.set_state("b", "paused")
        burst = {"state": "burst_limited", "reason": "429", "wait_ms": 4000, "retest_wait_ms": 4000}
        store.settle(store.admit()["id"], burst)

        error = self.error_of(store)
        assert error.message == "Every upstream account is at its rate limit for this model; try again in 4 s"
        assert (error.status, error.code, error.retry_after_seconds) == (429, "rate_limit_exceeded", 4)

    def test_field_that_no_account_supports(self, store: StoreOfTest) -> None:
        """There are accounts, but none with the protocol that has this field."""
        store.account("a", wires="r")
        error = refused(store.admit(wire="c"), native_field="logprobs")

        assert isinstance(error, InvalidRequest)
        assert error.param == "logprobs"


def test_clocks_apart(store: StoreOfTest) -> None:
    """A calendar that stays wrong is the gateway's fault, not the key's."""
    store.key("k", limit("l", "requests", "hour", 1))
    error = refused(store.admit(calendar={}))

    assert isinstance(error, StoreUnavailable)

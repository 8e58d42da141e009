"""Why no account could serve a request: the error, its message and the time to try again."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import (
    CredentialUnreadable,
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    NoAccounts,
    PoolLimited,
    PoolSpent,
    PoolUnpaid,
)
from app.relay.no_account import BUSY_RETRY_SECONDS, no_account_error, pool_spent_error
from app.stores.records.admission import AccountsRefusal

NOW_MS = 1_774_742_400_000.0


def refusal(able: dict[str, int], **fields: Any) -> AccountsRefusal:
    """Return the refusal of a pool that consists of the accounts in *able*, by their obstacle."""
    pool: dict[str, Any] = {"total": sum(able.values()), "is_offered": True, "model": "m"}
    return AccountsRefusal(able=able, **pool | fields)


def error_of(able: dict[str, int], native_field: str | None = None, **fields: Any) -> GatewayError:
    return no_account_error(refusal(able, **fields), NOW_MS, native_field)


def test_an_empty_pool() -> None:
    assert error_of({}).message == "No upstream accounts are configured in this pool"


class TestModel:
    @pytest.mark.parametrize(
        ("able", "fields"), [({"missing": 2}, {}), ({}, {"total": 2, "is_model_known": False})]
    )
    def test_is_unknown_or_missing_everywhere(self, able: dict[str, int], fields: dict[str, Any]) -> None:
        error = error_of(able, **fields)

        assert isinstance(error, ModelNotFound)
        assert error.message == "The model 'm' does not exist, or no account of this pool may use it"

    def test_is_offered_only_by_accounts_that_do_not_fit(self) -> None:
        error = error_of({}, total=2, is_offered=False)

        assert isinstance(error, ModelNotFound)
        assert error.message == "No account that may serve this request offers the model 'm'"


def test_a_field_that_no_account_supports() -> None:
    error = error_of({}, "logprobs", total=2, is_offered=False)

    assert isinstance(error, InvalidRequest)
    assert error.param == "logprobs"


class TestSpent:
    def test_accounts_without_use_do_not_count(self) -> None:
        error = error_of({"spent": 1, "paused": 1, "missing": 1}, resets_ms=NOW_MS + 43_680_000)

        assert isinstance(error, PoolSpent)
        assert error.message.endswith("the first is reset in 12 h 8 min")
        assert error.envelope()["error"]["resets_in_seconds"] == 43_680

    def test_an_unknown_reset(self) -> None:
        assert isinstance(error_of({"spent": 1}), PoolSpent)

    @pytest.mark.parametrize("able", [{"unpaid": 2}, {"unpaid": 1, "paused": 1, "dead": 1}])
    def test_payment_is_required(self, able: dict[str, int]) -> None:
        """No reset is named, and clients do not send the request again."""
        error = error_of(able)

        assert (type(error), error.status, error.code) == (PoolUnpaid, 429, "usage_limit_reached")
        assert "requires payment" in error.message
        assert not {"resets_at", "resets_in_seconds"} & set(error.envelope()["error"])
        assert error.retry_headers() == {"x-should-retry": "false"}

    def test_the_reset_of_another_account_counts(self) -> None:
        error = error_of({"spent": 1, "unpaid": 1}, resets_ms=NOW_MS + 60_000)

        assert (type(error), error.retry_after_seconds) == (PoolSpent, 60)

    def test_an_account_that_only_fails_is_worth_another_try(self) -> None:
        error = error_of({"spent": 1, "failing": 1}, wait_ms=2000, states={"window_spent": 1, "suspected": 1})

        assert (type(error), error.status, error.retry_after_seconds) == (NoAccounts, 503, 2)
        assert error.message == "No upstream account is available: 1 suspected, 1 window spent"
        assert error.resets_at == NOW_MS / 1000 + 2

    def test_the_plan_of_the_account(self) -> None:
        error = pool_spent_error(refusal({"spent": 1}), NOW_MS, {"plan_type": "plus"})

        assert error is not None
        assert error.envelope()["error"]["plan_type"] == "plus"


class TestStopped:
    """Only an operator makes these accounts available again."""

    @pytest.mark.parametrize(
        ("able", "total", "message"),
        [
            ({"paused": 1}, 1, "All upstream accounts are paused"),
            ({"paused": 1, "dead": 1}, 2, "All upstream accounts are paused or need a new sign-in or key"),
            ({"paused": 1}, 2, "All upstream accounts that could serve this request are paused"),
        ],
    )
    def test_message(self, able: dict[str, int], total: int, message: str) -> None:
        error = error_of(able, total=total)

        assert (error.message, error.retry_after_seconds) == (message, None)

    def test_credentials_of_another_key(self) -> None:
        assert isinstance(error_of({"unreadable": 1, "paused": 1}), CredentialUnreadable)


class TestForAWhile:
    def test_busy(self) -> None:
        error = error_of({"busy": 1, "limited": 1}, wait_ms=7000)

        assert isinstance(error, PoolLimited)
        assert error.retry_after_seconds == BUSY_RETRY_SECONDS

    @pytest.mark.parametrize(("wait_ms", "seconds"), [(7000, 7), (0, BUSY_RETRY_SECONDS)])
    def test_limited(self, wait_ms: float, seconds: float) -> None:
        error = error_of({"limited": 2}, wait_ms=wait_ms)

        assert isinstance(error, PoolLimited)
        assert error.retry_after_seconds == seconds

    def test_failing(self) -> None:
        error = error_of({"failing": 2}, wait_ms=4000, states={"active": 2})

        assert (error.status, error.retry_after_seconds) == (503, 4)
        assert error.message == (
            "This model is overloaded or failing at every upstream account; try again in 4 s"
        )


def test_a_full_queue() -> None:
    error = error_of({"busy": 1}, is_queue_full=True)

    assert isinstance(error, PoolLimited)
    assert error.message.endswith("just now, and as many requests as may wait for one do so already")
    assert error.retry_after_seconds == BUSY_RETRY_SECONDS

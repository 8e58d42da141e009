"""A refusal names the limit, its state and the remedy: wait, send less, or contact the operator."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import (
    GatewayError,
    InvalidApiKey,
    NeverFits,
    NeverResets,
    NoAccounts,
    QuotaExceeded,
    StoreUnavailable,
    StreamIncomplete,
    TeamDisabled,
    UpstreamError,
    UpstreamRedirected,
    UpstreamUnreachable,
)
from app.relay.refusals import (
    HELD_RETRY_SECONDS,
    MAX_CANDIDATES,
    RequestFacts,
    admission_of,
    not_retried,
    refusal_error,
)
from app.stores.records.admission import AccountsRefusal, LimitRefusal, Refusal, RefusalKind
from app.stores.records.limits import Limit
from app.streaming.upstream_errors import rejection_from_body

NOW_MS = 1_774_742_400_000.0
HOUR_MS = 3_600_000


def limit(what: str, per: str, maximum: int, **more: Any) -> Limit:
    return Limit.from_json({"id": "l", "what": what, "per": per, "max": maximum, "mode": "strict", **more})


def refusal(of: Limit, reason: str, **more: Any) -> Refusal:
    return Refusal(RefusalKind.LIMIT, NOW_MS, limit=LimitRefusal(of, reason, **more))


def error_of(refused: Refusal, referring: str = "", **facts: str) -> GatewayError:
    return refusal_error(refused, RequestFacts(referring=referring, **facts))


FAILURES = (
    UpstreamError("Cut"),
    StreamIncomplete("Cut"),
    UpstreamRedirected(301),
    UpstreamUnreachable("Reset", sent=True),
    rejection_from_body(503, b'{"error":{"message":"Busy","code":"busy"}}', {"retry-after": "3"}),
)


class TestNotTriedAgain:
    @pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
    def test_any_failure_is_explained(self, failure: UpstreamError) -> None:
        """Only the message of the error changes."""
        refused_retry = not_retried(failure, refusal(limit("output_tokens", "day", 10), "never", amount=11))

        assert refused_retry.message.startswith(
            f"{failure.message}. It was not tried again: This API key's limit"
        )
        assert type(refused_retry) is type(failure)
        assert {**vars(refused_retry), "message": ""} == {**vars(failure), "message": ""}

    def test_for_another_reason(self) -> None:
        assert not_retried(FAILURES[0], Refusal(RefusalKind.LATE)) is FAILURES[0]


class TestLimits:
    def test_spent(self) -> None:
        """The client may come back when the window has ended, to the second."""
        error = error_of(
            refusal(
                limit("requests", "hour", 1, model="m*"), "spent", settled=1, amount=1, wait_ms=float(HOUR_MS)
            )
        )

        assert isinstance(error, QuotaExceeded)
        assert error.message == (
            "This API key's limit of 1 request per hour for m* is used up; resets in 1 h "
            "(1 used, 0 reserved by running requests, 1 requested)"
        )
        assert (error.retry_after_seconds, error.resets_at) == (3600, (NOW_MS + HOUR_MS) / 1000)

    def test_spent_for_good(self) -> None:
        """A limit without a window has no retry time."""
        error = error_of(refusal(limit("requests", "ever", 1), "spent", settled=1, amount=1))

        assert "is used up and does not reset" in error.message
        assert isinstance(error, NeverResets)
        assert (error.retry_after_seconds, error.resets_at) == (None, None)

    def test_held(self) -> None:
        error = error_of(
            refusal(limit("total_tokens", "day", 100, scope="pool"), "held", reserved=70, amount=50)
        )

        assert error.message.startswith("The pool's limit of 100 tokens per day is reserved by other running")
        assert "0 used, 70 reserved by running requests, 50 requested" in error.message
        assert error.retry_after_seconds == HELD_RETRY_SECONDS

    def test_never(self) -> None:
        """A request that exceeds the limit has no retry time either: it has to be smaller."""
        error = error_of(refusal(limit("output_tokens", "minute", 10), "never", amount=11))

        assert isinstance(error, NeverFits)
        assert "can never fit this request, which may use up to 11 output tokens" in error.message
        assert error.retry_after_seconds is None

    @pytest.mark.parametrize(("settled", "state"), [(4_999_999, "has no room"), (5_000_000, "is used up")])
    def test_money(self, settled: int, state: str) -> None:
        """Amounts of money are in dollars and waits are text; the exact wait is in the fields."""
        error = error_of(
            refusal(
                limit("cost", "month", 5_000_000),
                "spent",
                settled=settled,
                amount=1_250,
                wait_ms=43_687_500.0,
            )
        )

        assert error.message.startswith(f"This API key's limit of $5.00 per month {state}")
        assert "resets in 12 h 8 min" in error.message
        assert "$0.00 reserved by running requests, $0.00125 requested" in error.message
        assert error.retry_after_seconds == 43_687.5

    def test_unbounded(self) -> None:
        error = error_of(refusal(limit("output_tokens", "day", 10), "unbounded"))

        assert "set max_output_tokens (chat: max_completion_tokens)" in error.message

    @pytest.mark.parametrize("may_exceed_length", [False, True])
    @pytest.mark.parametrize(
        ("model", "pool", "command"),
        [
            ("llama", "default", "poolgate price set llama --input USD --output USD, or"),
            ("llama", "team", "poolgate price set llama --input USD --output USD --pool team, or"),
            ("a b; c", "default", "poolgate price set 'a b; c' --input USD --output USD, or"),
        ],
    )
    def test_model_without_a_price(
        self, model: str, pool: str, command: str, *, may_exceed_length: bool
    ) -> None:
        """The missing price is named first: a smaller request would have no cost either."""
        refused = refusal(limit("cost", "day", 5_000_000), "unbounded", may_exceed_length=may_exceed_length)
        error = error_of(refused, "conversation", unpriced=model, pool=pool)

        assert error.message.startswith(
            f"This API key's limit of $5.00 per day is strict and the model '{model}' has no price: "
            f"set it with {command}"
        )

    def test_tokens_of_a_model_without_a_price(self) -> None:
        error = error_of(refusal(limit("output_tokens", "day", 10), "unbounded"), unpriced="llama")

        assert "has no price" not in error.message

    def test_input_that_is_not_in_the_request(self) -> None:
        error = error_of(refusal(limit("input_tokens", "day", 10), "unbounded"), "conversation")

        assert "no upper bound; 'conversation' adds input that is not in it" in error.message

    def test_accounts_that_may_bill_more(self) -> None:
        error = error_of(
            refusal(limit("output_tokens", "day", 10), "never", amount=11, may_exceed_length=True)
        )

        assert error.message.startswith("Only accounts that may bill more than the requested length are")
        assert "add an account that enforces lengths" in error.message


@pytest.mark.parametrize("reason", ["disabled", "expired", "unknown"])
def test_keys(reason: str) -> None:
    """A key that was usable when the request arrived may no longer be usable at admission."""
    error = error_of(Refusal(RefusalKind.KEY, reason=reason))

    assert isinstance(error, InvalidApiKey)
    assert error.message == f"This API key is {reason}"


def test_team() -> None:
    error = error_of(Refusal(RefusalKind.TEAM, reason="red"))

    assert isinstance(error, TeamDisabled)
    assert "'red'" in error.message


def test_limit_of_a_team() -> None:
    """The message has the team of the refusal: the key may have been moved since it was authenticated."""
    of = limit("requests", "day", 1, scope="team")
    error = error_of(refusal(of, "spent", settled=1, amount=1, team="blue"))

    assert error.message.startswith("The limit of 1 request per day of the team 'blue' is used up")
    assert error.admission["team"] == "blue"


def test_clocks_apart() -> None:
    """A calendar that stays wrong is the gateway's fault, not the key's."""
    assert isinstance(error_of(Refusal(RefusalKind.CALENDAR)), StoreUnavailable)


@pytest.mark.parametrize("kind", [RefusalKind.LATE, RefusalKind.LEASE, RefusalKind.SETTLED])
def test_a_delay_is_not_taken_for_a_wrong_clock(kind: RefusalKind) -> None:
    error = error_of(Refusal(kind))

    assert isinstance(error, StoreUnavailable)
    assert "too busy or too slow" in error.message
    assert "time" in error.message
    assert "clock" not in error.message


class TestRefusalLog:
    def test_of_a_limit(self) -> None:
        error = error_of(refusal(limit("requests", "hour", 1), "spent", settled=1, amount=1))

        assert error.admission["limit"]["name"] == "1 request per hour"
        assert (error.admission["limit"]["what"], error.admission["limit"]["settled"]) == ("requests", 1)

    def test_of_accounts(self) -> None:
        candidates = [[f"acct_{number}", 0.0, "full"] for number in range(MAX_CANDIDATES + 1)]
        accounts = AccountsRefusal(total=1, able={"busy": 1}, is_offered=True, candidates=candidates)
        refused = Refusal(RefusalKind.NO_ACCOUNTS, accounts=accounts)

        assert isinstance(error_of(refused), NoAccounts)
        assert admission_of(refused)["seen"] == candidates[:MAX_CANDIDATES]

    def test_of_a_key(self) -> None:
        assert admission_of(Refusal(RefusalKind.KEY)) == {}

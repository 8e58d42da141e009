"""What a failure leaves on its account."""

from __future__ import annotations

from importlib import resources
from typing import Any

import orjson
import pytest

from app.accounts.outcomes import outcome_from_error
from app.errors import StreamIdleTimeout, UpstreamRejected, UpstreamTimeout
from app.stores.records.accounts import AccountState, ModelState
from app.streaming.upstream_errors import rejection_from_body

NOW = 1_700_000_000.0


def rejected(status: int, code: str | None = None, message: str = "no", **more: Any) -> UpstreamRejected:
    return UpstreamRejected(message, status=status, type="t", code=code, upstream_status=status, **more)


@pytest.mark.parametrize(
    "error",
    [
        rejected(400, "invalid_request_error"),
        rejected(404),
        rejected(413),
        rejected(402, message="fewer max_tokens"),
        StreamIdleTimeout("slow"),
        UpstreamTimeout("late"),
    ],
)
def test_what_is_not_the_accounts_fault_leaves_no_mark(error: Any) -> None:
    assert outcome_from_error(error, "m", NOW) == {}


def test_a_refused_credential_may_turn_out_to_be_a_suspicion() -> None:
    """The store decides, which knows whether other accounts of the upstream were refused just now."""
    mark = outcome_from_error(rejected(401, "invalid_api_key"), "m", NOW)

    assert mark == {
        **{"state": "credential_dead", "reason": "invalid_api_key", "wait_ms": 0, "retest_wait_ms": 0},
        **{"asked": "m", "base_ms": 2000, "most_ms": 15_000},
    }


def test_a_burst_ends_at_the_time_the_upstream_states() -> None:
    mark = outcome_from_error(
        rejected(429, "rate_limit_exceeded", retry_after_seconds=7), "m", NOW, kind="chatgpt"
    )

    assert (mark["state"], mark["wait_ms"], mark["retest_wait_ms"]) == ("burst_limited", 7000, 7000)


def test_a_burst_of_one_model_rests_that_model() -> None:
    mark = outcome_from_error(
        rejected(429, "rate_limit_exceeded", retry_after_seconds=7), "m", NOW, kind="openai"
    )

    assert mark == {"model": "m", "why": "limited", "wait_ms": 7000}


def test_a_spent_window_is_spent_until_its_reset() -> None:
    """When it is tested again is the store's to decide."""
    mark = outcome_from_error(rejected(429, "usage_limit_reached", retry_after_seconds=3600), "m", NOW)

    assert (mark["state"], mark["wait_ms"]) == ("window_spent", 3_600_000)
    assert "retest_wait_ms" not in mark


@pytest.mark.parametrize(
    "code", ["insufficient_quota", "billing_not_active", "billing_hard_limit_reached", "arrearage", "1113"]
)
def test_payment_is_required_where_no_reset_is_named(code: str) -> None:
    unpaid, spent = rejected(429, code), rejected(429, code, resets_at=NOW + 7200)

    assert outcome_from_error(unpaid, "m", NOW)["state"] == "payment_required"
    assert outcome_from_error(spent, "m", NOW)["state"] == "window_spent"


def test_an_end_named_as_a_date_counts_from_now() -> None:
    mark = outcome_from_error(rejected(429, "usage_limit_reached", resets_at=NOW + 7200), "m", NOW)

    assert mark["wait_ms"] == 7_200_000


def test_a_limit_without_an_end_gets_one() -> None:
    assert outcome_from_error(rejected(429, "usage_limit_reached"), "m", NOW)["wait_ms"] > 0


def test_a_refused_credential_has_no_end() -> None:
    mark = outcome_from_error(rejected(401, "token_expired", retry_after_seconds=5), "m", NOW)

    assert (mark["state"], mark["wait_ms"], mark["retest_wait_ms"]) == ("credential_dead", 0, 0)


@pytest.mark.parametrize(
    ("error", "why", "wait_ms"),
    [
        (rejected(503, "server_is_overloaded"), "overloaded", 5000),
        (rejected(404, "model_not_found", retry_after_seconds=9e9), "missing", 300_000),
        (rejected(403, "model_not_found"), "missing", 300_000),
    ],
)
def test_what_one_model_does_is_not_the_accounts_fault(error: Any, why: str, wait_ms: int) -> None:
    assert outcome_from_error(error, "gpt-x", NOW) == {"model": "gpt-x", "why": why, "wait_ms": wait_ms}


def test_our_suspicion_is_soft() -> None:
    mark = outcome_from_error(rejected(403), "m", NOW)

    assert (mark["soft"], mark["asked"], mark["reason"]) == (True, "m", "blocked")


def test_a_mark_quotes_no_message() -> None:
    """An upstream's message may quote the prompt; its code cannot."""
    error = rejected(429, "usage_limit_reached", message="secret prompt")

    assert "secret" not in str(outcome_from_error(error, "m", NOW))


@pytest.mark.parametrize("names", [AccountState, ModelState])
def test_scripts_know_each_state(names: Any) -> None:
    lua = resources.files("app.stores") / "lua"
    text = "".join(each.read_text() for each in lua.iterdir() if each.name.endswith(".lua"))

    assert {
        name.value for name in names if f"'{name.value}'" not in text and f"{name.value} = " not in text
    } == set()


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (400, {"message": "API key not valid. Please pass a valid API key.", "code": 400}, "status 400"),
        (402, {"message": "Insufficient Balance", "code": "invalid_request_error"}, "status 402"),
        (401, {"message": "No.", "code": "token_expired"}, "token_expired"),
        (401, {"message": "No.", "code": "sk-abcdef123"}, "status 401"),
        (401, {"message": "No.", "code": "no such key: abc"}, "status 401"),
    ],
)
def test_reason_is_explained(status: int, error: dict[str, Any], reason: str) -> None:
    """A generic code of a server is not shown to operators as the reason."""
    refused = rejection_from_body(status, orjson.dumps({"error": error}), {})

    assert outcome_from_error(refused, "m", 0.0)["reason"] == reason

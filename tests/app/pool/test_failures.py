"""What went wrong at an account, and what that does to it."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import (
    StreamIdleTimeout,
    StreamIncomplete,
    UpstreamError,
    UpstreamRedirected,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.pool.failures import CONSEQUENCES, Failure, classify, mark_for

NOW = 1_700_000_000.0


def rejected(status: int, code: str | None = None, message: str = "no", **more: Any) -> UpstreamRejected:
    return UpstreamRejected(message, status=status, type="t", code=code, upstream_status=status, **more)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (rejected(429, "rate_limit_exceeded"), Failure.BURST_LIMITED),
        (rejected(429, "rate_limit_exceeded", retry_after_seconds=3600), Failure.WINDOW_SPENT),
        (rejected(429, "usage_limit_reached"), Failure.WINDOW_SPENT),
        (rejected(429, "insufficient_quota"), Failure.WINDOW_SPENT),
        (rejected(401, "token_expired"), Failure.CREDENTIAL),
        (rejected(403, "account_deactivated"), Failure.CREDENTIAL),
        (rejected(503, "server_is_overloaded"), Failure.OVERLOADED),
        (rejected(404, "model_not_found"), Failure.MODEL_MISSING),
        (
            rejected(400, message="The 'm' model is not supported when using Codex with a ChatGPT account."),
            Failure.MODEL_MISSING,
        ),
        (rejected(500), Failure.SERVER_ERROR),
        (rejected(400, "context_length_exceeded"), Failure.CALLER),
        (rejected(422), Failure.CALLER),
        (StreamIncomplete("cut"), Failure.CUT),
        (UpstreamRedirected(302), Failure.REDIRECTED),
        (StreamIdleTimeout("slow"), Failure.SLOW),
        (UpstreamTimeout("late"), Failure.DEADLINE),
        (UpstreamUnreachable("down"), Failure.UNREACHABLE),
        (UpstreamUnreachable("reset", sent=True), Failure.RESET),
    ],
)
def test_class_of(error: UpstreamError, failure: Failure) -> None:
    assert classify(error) is failure


def test_every_failure_has_a_consequence_or_none() -> None:
    assert set(CONSEQUENCES) == set(Failure)


@pytest.mark.parametrize(
    "error", [rejected(400, "invalid_request_error"), StreamIdleTimeout("slow"), UpstreamTimeout("late")]
)
def test_the_callers_mistakes_and_our_patience_leave_no_mark(error: UpstreamError) -> None:
    assert mark_for(error, "m", NOW) == {}


def test_a_burst_is_over_when_the_upstream_says() -> None:
    mark = mark_for(rejected(429, "rate_limit_exceeded", retry_after_seconds=7), "m", NOW)

    assert (mark["state"], mark["wait_ms"], mark["retest_wait_ms"]) == ("burst_limited", 7000, 7000)


def test_a_spent_window_is_spent_until_its_reset() -> None:
    """When it is tested again is the store's to say."""
    mark = mark_for(rejected(429, "usage_limit_reached", retry_after_seconds=3600), "m", NOW)

    assert (mark["state"], mark["wait_ms"]) == ("window_spent", 3_600_000)
    assert "retest_wait_ms" not in mark


def test_an_end_named_by_the_hour_counts_from_now() -> None:
    mark = mark_for(rejected(429, "usage_limit_reached", resets_at=NOW + 7200), "m", NOW)

    assert mark["wait_ms"] == 7_200_000


def test_a_limit_without_an_end_gets_one() -> None:
    assert mark_for(rejected(429, "usage_limit_reached"), "m", NOW)["wait_ms"] > 0


def test_a_dead_credential_waits_for_a_person() -> None:
    mark = mark_for(rejected(401, "token_expired"), "m", NOW)

    assert (mark["state"], mark["retest_wait_ms"]) == ("credential_dead", 0)


def test_an_overloaded_model_is_not_the_accounts_fault() -> None:
    mark = mark_for(rejected(503, "server_is_overloaded"), "gpt-x", NOW)

    assert mark["model"] == "gpt-x"
    assert "state" not in mark


def test_our_suspicion_is_soft() -> None:
    assert mark_for(rejected(502), "m", NOW)["soft"] is True


def test_a_mark_quotes_no_message() -> None:
    """An upstream's message may quote the prompt; its code cannot."""
    error = rejected(429, "usage_limit_reached", message="secret prompt")

    assert "secret" not in str(mark_for(error, "m", NOW))

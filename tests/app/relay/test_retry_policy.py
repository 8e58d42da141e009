"""Error class × stage -> what to do."""

from __future__ import annotations

import random

import pytest

from app.accounts.failures import Failure
from app.accounts.verdicts import judge
from app.errors import BodyShape, EndpointMissing, UpstreamError, UpstreamRejected
from app.relay.retry_policy import TABLE, Phase, decide, for_client, pause_seconds
from app.stores.records.ledger import Action


def rejected(status: int, **more: object) -> UpstreamRejected:
    return UpstreamRejected("no", status=status, type="t", code="c", **more)  # type: ignore[arg-type]


def test_every_failure_has_a_row() -> None:
    assert set(TABLE) == set(Failure)


@pytest.mark.parametrize("failure", Failure)
def test_no_other_response_begins_after_visible_content(failure: Failure) -> None:
    assert decide(failure, Phase.AFTER) in (Action.FAIL, Action.RESTART)


@pytest.mark.parametrize("failure", [Failure.CALLER, Failure.DEADLINE, Failure.DIFFERS])
def test_what_no_account_cures_is_never_retried(failure: Failure) -> None:
    assert decide(failure, Phase.BEFORE) is Action.FAIL


def test_a_silent_account_is_not_tried_again() -> None:
    assert decide(Failure.SLOW, Phase.BEFORE) is Action.OTHER_ACCOUNT_ONLY


def test_a_pause_is_what_the_upstream_requested() -> None:
    assert pause_seconds(1, rejected(429, retry_after_seconds=2.0), random.Random(1)) == 2.0


def test_else_it_is_jittered_and_grows_to_a_bound() -> None:
    chance = random.Random(1)
    pauses = [pause_seconds(attempt, rejected(500), chance) for attempt in range(1, 30)]

    assert max(pauses[:1]) <= 0.2
    assert max(pauses) <= 4.0
    assert len(set(pauses)) == len(pauses)


def received(error: UpstreamError, endpoint: str = "chat") -> UpstreamError:
    return for_client(error, judge(error, "openai", "m"), endpoint, "m")


def answered(status: int, code: str | None = None, message: str = "no", **more: object) -> UpstreamRejected:
    return UpstreamRejected(message, status=status, type="t", code=code, upstream_status=status, **more)  # type: ignore[arg-type]


def answered_by_a_page() -> UpstreamRejected:
    error = answered(403)
    error.shape = BodyShape.HTML
    return error


@pytest.mark.parametrize("error", [answered(401), answered(403, "account_suspended"), answered_by_a_page()])
def test_a_refused_account_credential_is_no_error_of_the_callers_key(error: UpstreamRejected) -> None:
    found = received(error)

    assert (found.status, found.code) == (502, "upstream_error")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (answered(403, "unsupported_country_region_territory"), "unsupported_country_region_territory"),
        (answered(403, "forbidden"), "forbidden"),
        (answered(403), "upstream_error"),
        (answered(403, "organization_restricted"), "organization_restricted"),
        (answered(401, message="Missing scopes: model.request"), "upstream_error"),
        (answered(403, message="Missing scopes: model.request"), "upstream_error"),
    ],
)
def test_what_an_account_may_not_do_is_no_refusal_of_the_callers_key(
    error: UpstreamRejected, code: str
) -> None:
    """The client receives the upstream's words and code."""
    found = received(error)

    assert (found.status, found.type, found.code) == (502, "server_error", code)
    assert found.message.endswith(error.message)


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (answered(429, "rate_limit_exceeded"), {"Retry-After": "2"}),
        (answered(429, message="Too many concurrent requests"), {"Retry-After": "2"}),
        (answered(503, "server_is_overloaded"), {"Retry-After": "5"}),
        (answered(429, "rate_limit_exceeded", retry_after_seconds=7), {"Retry-After": "7"}),
        (answered(429, "rate_limit_exceeded", retry_after_seconds=80), {"x-should-retry": "false"}),
        (answered(503), {}),
    ],
)
def test_client_receives_the_rest_of_the_account(error: UpstreamRejected, headers: dict[str, str]) -> None:
    """An upstream's own wait comes first; whether an account with another 5xx rests is not known."""
    before = error.retry_after_seconds

    assert received(error).retry_headers() == headers
    assert error.retry_after_seconds == before  # by which the gateway itself retries


@pytest.mark.parametrize(
    "error",
    [answered(403, message="flagged"), answered(402, message="fewer max_tokens")],
)
def test_what_is_about_the_request_passes_in_the_upstreams_words(error: UpstreamRejected) -> None:
    assert received(error) is error


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_missing_model_is_404_whatever_the_upstream_calls_it(status: int) -> None:
    found = received(answered(status, "model_not_found", "No such model"))

    assert (found.status, found.code, found.message, found.param) == (
        404,
        "model_not_found",
        "No such model",
        "model",
    )


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_a_missing_endpoint_that_every_account_has_is_an_outage(endpoint: str) -> None:
    """At a 404 Codex gives up; at a 502 it tries again."""
    assert received(answered(404), endpoint).status == 502


def test_a_missing_endpoint_that_accounts_may_lack_is_missing() -> None:
    found = received(answered(404), "embeddings")

    assert isinstance(found, EndpointMissing)
    assert found.status == 404


def test_other_errors_pass_as_they_are() -> None:
    error: UpstreamError = answered(500)

    assert received(error) is error

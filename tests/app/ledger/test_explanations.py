"""What happened to a request, in sentences that need no knowledge of the code."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.failures import Failure
from app.ledger import explanations
from app.ledger.explanations import Following
from app.stores.records.ledger import Stop


def row(**more: Any) -> dict[str, Any]:
    return {"id": "req_1", "state": "settled", "status": 200, "error": None, "usage": {}} | more


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (row(), "The caller received the complete response (status 200)."),
        (row(state="open", status=None), "It is still running."),
        (row(status=499, error="client_gone"), explanations.OUTCOMES[499]),
        (row(status=599), explanations.OUTCOMES[599]),
        (row(state="expired", status=None), explanations.OUTCOMES[599]),
        (
            row(status=502, error="cut", usage={"first_ms": 3}),
            "The response broke off after it had begun; the caller received an error event (cut).",
        ),
        (row(status=502, error="bad"), "The caller received an error: status 502 (bad)."),
        (
            row(id="req_1-1", status=502, error="bad"),
            "It failed here with status 502 (bad); the caller received the error of the first model.",
        ),
        (
            row(state="refused", status=429, error="rate_limit_exceeded", message="Wait"),
            "It was refused; the caller received status 429 (rate_limit_exceeded): Wait",
        ),
    ],
)
def test_outcome(found: dict[str, Any], text: str) -> None:
    assert explanations.outcome(found) == text


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        ({"input_tokens": 5, "output_tokens": 7}, ""),
        (
            {
                **{"input_tokens": 5, "output_tokens": 7, "unreported": "client_left"},
                **{"unreported_input_tokens": 20, "unreported_output_tokens": 4993},
            },
            "Strict limits were charged the upper bound, 25 input and 5,000 output tokens: the caller "
            "disconnected before the usage was reported. The other figures are an estimate.",
        ),
        (
            {
                "input_tokens": 5,
                "unreported": "client_left",
                "unlimited": True,
                "unreported_input_tokens": 20,
            },
            "The usage is an estimate: the caller disconnected before the usage was reported.",
        ),
    ],
)
def test_charged(usage: dict[str, Any], text: str) -> None:
    assert explanations.charged(usage) == text


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((True, "", 1.0, 1.0), "chosen"),
        ((False, "higher score", 1.0, 1.0), "same score; the chosen account came first"),
        ((False, "higher score", 2.0, 1.0), "its score is higher by 1, and the lowest is chosen"),
        ((False, "", 2.25, 1.0), "its score is higher by 1.25, and the lowest is chosen"),
        ((False, "", 2.0, None), "higher score"),
        ((False, "tried", 1.0, 2.0), "already tried for this request"),
        ((False, "overloaded", 1.0, 2.0), "overloaded"),
    ],
)
def test_candidate(args: tuple[bool, str, float | None, float | None], text: str) -> None:
    assert explanations.candidate(*args) == text


@pytest.mark.parametrize(
    ("then", "again", "text"),
    [
        (Following("b", waited=False, is_last=False), True, "Its credential was renewed"),
        (Following("b", waited=False, is_last=False), False, "The next attempt went to b."),
        (
            Following("b", waited=True, is_last=False),
            False,
            "No account was available then; after a wait, the next",
        ),
        (
            Following("b", waited=False, is_last=False, is_sent=False),
            False,
            "The next attempt was to go to b.",
        ),
        (Following("", waited=True, is_last=False), False, "No other account was available."),
        (Following("", waited=False, is_last=True), False, "No further attempt was made."),
    ],
)
def test_after_failure(then: Following, again: bool, text: str) -> None:
    """The explanation describes what happened, not what the rule for such a failure would allow."""
    assert explanations.after_failure({"action": "other"}, then, {}, again=again).startswith(text)


def test_no_account_was_available_at_a_model_that_another_replaced() -> None:
    then = Following("", waited=True, is_last=False)

    sentence = explanations.after_failure(
        {"action": "other"}, then, {"answered_by": {}, "continued_as": "x"}, again=False
    )

    assert sentence == "No other account was available at this model."


@pytest.mark.parametrize(
    ("request_row", "is_last", "text"),
    [
        (row(), True, "Nothing was sent to a: the request ended before that"),
        (row(state="open", status=None), True, "The attempt at a is running."),
        (row(state="open", status=None), False, "The attempt at a failed; details are recorded"),
        (row(state="expired", status=None), True, "The outcome of the attempt at a is unknown"),
        (row(status=599), True, "The outcome of the attempt at a is unknown"),
    ],
)
def test_an_attempt_without_an_entry(request_row: Any, is_last: bool, text: str) -> None:
    then = Following("", waited=False, is_last=is_last)
    assert explanations.unrecorded_attempt("a", then, request_row).startswith(text)


@pytest.mark.parametrize(
    ("request_row", "text"),
    [
        (row(), "a answered over its chat API."),
        (row(status=499), "The caller disconnected before a had completed its response."),
        (
            row(status=503, error="worker_stopping"),
            "The attempt at a was ended by the gateway (worker_stopping).",
        ),
    ],
)
def test_an_attempt_that_did_not_fail(request_row: Any, text: str) -> None:
    """It answered only if the request succeeded."""
    assert explanations.attempt({"wire": "chat"}, "a", "", request_row) == text


def test_every_failure_has_words() -> None:
    """Add the sentence of a new failure in app/ledger/explanations.py."""
    assert set(Failure) <= set(explanations.FAILURES)


@pytest.mark.parametrize("stop", Stop)
def test_why_no_further_attempt_was_made(stop: Stop) -> None:
    """Each reason is explained; an entry of an older version has none."""
    then = Following("", waited=False, is_last=True)
    request = {"stopped": stop.value, "state": "settled", "status": 502}

    text = explanations.after_failure({"action": "other"}, then, request, again=False)
    assert text.startswith("No further attempt was made: ")
    assert explanations.STOPPED[stop] in explanations.unrecorded_attempt("a", then, request)
    at_model = explanations.after_failure({"action": "other"}, then, {"continued_as": "r-1"}, again=False)
    assert at_model == "No further attempt was made at this model."

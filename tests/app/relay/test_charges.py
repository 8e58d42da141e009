"""What an attempt is charged whose usage was not reported."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from app.accounts.account import Account
from app.accounts.failures import Failure
from app.errors import (
    EndpointMissing,
    StreamIncomplete,
    UpstreamError,
    UpstreamRejected,
    UpstreamUnreachable,
)
from app.relay.charges import FRAMING_TOKENS, estimate_charge, exceeded, may_have_billed
from app.streaming.usage import Usage
from tests.support.relay import FakeAttempt, FakeReader, make_request

OPENAI = Account("a", "a", "openai", "http://127.0.0.1:1/v1")
RESERVED = {"input_tokens": 100, "output_tokens": 50}


def attempt_of(reader: FakeReader, model: str = "gpt-4o", account: Account = OPENAI) -> FakeAttempt:
    body = {"model": model, "max_tokens": 50}
    return FakeAttempt(account, context=make_request(model=model, body=body), reader=reader)


def rejected(code: str | None, upstream_status: int | None) -> UpstreamRejected:
    return UpstreamRejected("No", status=400, type="x", code=code, upstream_status=upstream_status)


@pytest.mark.parametrize(
    ("error", "failure", "output_bytes", "billed"),
    [
        (UpstreamUnreachable("x"), Failure.UNREACHABLE, 0, False),
        (UpstreamUnreachable("x", sent=True), Failure.RESET, 0, True),
        (EndpointMissing("embeddings", "m"), Failure.ENDPOINT_MISSING, 0, False),
        (StreamIncomplete("x"), Failure.CUT, 0, True),
        (rejected(None, 400), Failure.CALLER, 0, False),
        (rejected(None, None), Failure.SERVER_ERROR, 0, True),
        (rejected(None, None), Failure.OVERLOADED, 0, False),
        (rejected("context_length_exceeded", None), Failure.CALLER, 0, False),
        (rejected(None, None), Failure.OVERLOADED, 5, True),
    ],
)
def test_what_may_be_billed(
    error: UpstreamError, failure: Failure, output_bytes: int, *, billed: bool
) -> None:
    assert may_have_billed(error, attempt_of(FakeReader(output_bytes=output_bytes)), failure) is billed


class TestEstimate:
    def test_upper_bound_is_the_reservation(self) -> None:
        charge = estimate_charge(attempt_of(FakeReader(output_bytes=40)), RESERVED, 30)

        assert (charge.usage.input_tokens, charge.usage.output_tokens) == (30, 10)
        assert charge.upper_bound == (100, 50)

    def test_a_finished_response_without_reasoning_has_nothing_hidden(self) -> None:
        reader = FakeReader(output_bytes=8, finish="stop")

        assert estimate_charge(attempt_of(reader), RESERVED, 30).upper_bound == (100, 8 + FRAMING_TOKENS)
        assert estimate_charge(attempt_of(reader, "o3"), RESERVED, 30).upper_bound == (100, 50)

    def test_proof_of_more_raises_the_bound(self) -> None:
        attempt = attempt_of(FakeReader(output_bytes=5000))
        attempt.exceeds_at = 50

        assert estimate_charge(attempt, RESERVED, 30).upper_bound == (100, 5000)

    def test_usage_before_the_end_is_a_lower_bound(self) -> None:
        reader = FakeReader(Usage(20, 30, 50), reported=False, output_bytes=4)
        usage = estimate_charge(attempt_of(reader), RESERVED, 30).usage

        assert (usage.input_tokens, usage.output_tokens) == (20, 30)

    def test_no_bound(self) -> None:
        charge = estimate_charge(attempt_of(FakeReader(output_bytes=40)), {}, 30)

        assert charge.upper_bound == (None, None)


class TestExceeded:
    def test_more_output_than_the_length_it_was_sent(self) -> None:
        found = exceeded(attempt_of(FakeReader(Usage(10, 60, 70))), RESERVED)

        assert orjson.loads(found or "") == {"model": "gpt-4o", "allowed": 50, "output_tokens": 60}

    def test_more_input_than_bytes(self) -> None:
        found = exceeded(attempt_of(FakeReader(Usage(101, 1, 102))), RESERVED)

        assert orjson.loads(found or "") == {"model": "gpt-4o", "allowed": 100, "input_tokens": 101}

    def test_within_bounds(self) -> None:
        assert exceeded(attempt_of(FakeReader(Usage(100, 50, 150))), RESERVED) is None

    def test_only_accounts_that_are_sent_a_length(self) -> None:
        chatgpt = replace(OPENAI, kind="chatgpt")

        assert exceeded(attempt_of(FakeReader(Usage(10, 60, 70)), account=chatgpt), RESERVED) is None

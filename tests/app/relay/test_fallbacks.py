"""Model fallbacks: which failures another model may answer, and how the response is reported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.accounts.account import Account
from app.errors import (
    ClientGone,
    GatewayError,
    InvalidRequest,
    NoAccounts,
    QuotaExceeded,
    StoreUnavailable,
    StreamIncomplete,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
    WorkerStopping,
)
from app.relay.context import RequestContext
from app.relay.fallbacks import FallbackChain, may_fall_back
from app.relay.progress import RequestProgress
from app.relay.request_record import RequestRecord
from app.relay.waiting import EarlierModelsDue
from app.stores.records.admission import Selection
from app.streaming.events import Event
from tests.support.relay import FakeAttempt, make_request

RESPONSE = [Event({"choices": []})]


TOO_LONG = (  # the words of servers
    "This model's maximum context length is 4096 tokens",
    "prompt is too long: 212345 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Input tokens exceed the configured limit of 272000 tokens.",
    "Your input exceeds the context window of this model.",
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
    "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000",
    "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
    "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)",
    "Prompt exceeds max length",
    "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
    "invalid params, context window exceeds limit (2013)",
    "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.",
    "Input is too long for requested model.",
)


def rejected(status: int, code: str | None, message: str = "no") -> UpstreamRejected:
    return UpstreamRejected(message, status=status, type="x", code=code, upstream_status=status)


@pytest.mark.parametrize(
    "error",
    [
        NoAccounts("x"),
        QuotaExceeded("x"),
        UpstreamUnreachable("x"),
        StreamIncomplete("x"),
        rejected(500, None),
        rejected(429, "rate_limit_exceeded"),
        rejected(404, "model_not_found"),
        rejected(400, "context_length_exceeded"),
        *(rejected(400, None, message) for message in TOO_LONG),
    ],
)
def test_another_model_may_answer(error: GatewayError) -> None:
    assert may_fall_back(error)


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("x"),
        StoreUnavailable("x"),
        WorkerStopping("x"),
        ClientGone("x"),
        UpstreamTimeout("x"),
        rejected(400, "invalid_value"),
        rejected(400, None, "max_tokens is too large: this model supports at most 4096 completion tokens"),
        rejected(400, None, "Unknown field 'context_length'"),
    ],
)
def test_no_model_may(error: GatewayError) -> None:
    assert not may_fall_back(error)


class Models:
    """Replaces the relay: fails or answers by model."""

    def __init__(self, **failures: GatewayError) -> None:
        self._failures = failures
        self.tried: list[str] = []

    def __call__(
        self, context: RequestContext, record: RequestRecord, progress: RequestProgress
    ) -> Iterator[list[Event] | None]:
        self.tried.append(context.request.model)
        account = Account(
            f"acct_{context.request.model}", context.request.model, "openai", "http://127.0.0.1:1/v1"
        )
        record.start_attempt(FakeAttempt(account, context=context), Selection(account.id))
        if error := self._failures.get(context.request.model):
            raise error
        yield RESPONSE


def chain(models: Models, *fallbacks: str) -> FallbackChain:
    context = make_request(fallbacks=tuple(make_request(model=name) for name in fallbacks))
    return FallbackChain(context, models, RequestProgress(0.0, 600.0, 0.0, fallbacks_left=len(fallbacks)))


class TestChain:
    def test_the_first_model_that_answers(self) -> None:
        models = Models(m=NoAccounts("x"))
        served = chain(models, "n", "o")

        assert list(served.events()) == [RESPONSE]
        assert models.tried == ["m", "n"]
        assert (served.context.request.model, served.served_by().account_name) == ("n", "n")
        assert served.take_refusal() is None

    def test_models_that_were_passed_over_are_tried_again_while_the_last_waits(self) -> None:
        tried: list[tuple[str, int]] = []

        def stream(context: RequestContext, record: RequestRecord, progress: RequestProgress) -> Any:
            tried.append((context.request.model, progress.fallbacks_left))
            if len(tried) == 7:
                yield RESPONSE
                return
            if progress.fallbacks_left:
                if context.request.model == "m":
                    progress.passed_over = (*progress.passed_over, context)
                raise NoAccounts("x")
            raise EarlierModelsDue

        names = ("n", "o")
        context = make_request(fallbacks=tuple(make_request(model=name) for name in names))
        served = FallbackChain(context, stream, RequestProgress(0.0, 600.0, 0.0, fallbacks_left=2))

        assert list(served.events()) == [RESPONSE]
        assert tried == [("m", 2), ("n", 1), ("o", 0), *[("m", 1), ("o", 0)] * 2]
        assert served.context.request.model == "o"

    @pytest.mark.parametrize("answers", [True, False])
    def test_models_that_were_passed_over_are_waited_for_if_the_last_fails(self, answers: bool) -> None:
        """Once: the last of them takes the place of the last model."""
        tried: list[tuple[str, int]] = []

        def stream(context: RequestContext, record: RequestRecord, progress: RequestProgress) -> Any:
            tried.append((context.request.model, progress.fallbacks_left))
            if answers and len(tried) == 5:
                yield RESPONSE
                return
            if context.request.model != "o":
                progress.passed_over = (*progress.passed_over, context)
            raise NoAccounts("x")

        names = ("n", "o")
        context = make_request(fallbacks=tuple(make_request(model=name) for name in names))
        served = FallbackChain(context, stream, RequestProgress(0.0, 600.0, 0.0, fallbacks_left=2))

        if answers:
            assert list(served.events()) == [RESPONSE]
            assert served.take_refusal() is None
        else:
            with pytest.raises(NoAccounts):
                list(served.events())
        assert tried == [("m", 2), ("n", 1), ("o", 0), ("m", 1), ("n", 0)]

    def test_a_failure_of_a_model_that_was_waited_for_is_reported(self) -> None:
        """It was admitted after all, so it is no refusal."""
        errors = iter((NoAccounts("full"), UpstreamUnreachable("cut")))

        def stream(context: RequestContext, record: RequestRecord, progress: RequestProgress) -> Any:
            if context.request.model == "m":
                error = next(errors)
                if isinstance(error, NoAccounts):
                    progress.passed_over = (context,)
                else:
                    record.row = {"status": 502}
                raise error
            raise NoAccounts("spent")
            yield

        served = chain(stream, "n")  # type: ignore[arg-type]

        with pytest.raises(UpstreamUnreachable):
            list(served.events())
        assert served.take_refusal() is None

    @pytest.mark.parametrize("client_leaves", [False, True])
    def test_a_later_model_that_fails_was_admitted(self, client_leaves: bool) -> None:
        """The caller receives the error of the first model, but the request is recorded once: no refusal."""

        def stream(context: RequestContext, record: RequestRecord, progress: RequestProgress) -> Any:
            if context.request.model == "m":
                raise NoAccounts("spent")
            try:
                yield None
                raise UpstreamUnreachable("cut")
            finally:
                record.row = {"status": 502}

        served = chain(stream, "n")  # type: ignore[arg-type]
        events = served.events()
        assert next(events) is None

        if client_leaves:
            events.close()
        else:
            with pytest.raises(NoAccounts):
                next(events)
        assert served.ledger_rows == [{"status": 502}]
        assert served.take_refusal() is None

    @pytest.mark.parametrize("client_leaves", [False, True])
    def test_why_it_ended_is_recorded_if_a_later_model_was_not_refused(self, client_leaves: bool) -> None:
        """The caller received no refusal: it left while it waited for a later model, or it met a defect."""

        def stream(context: RequestContext, record: RequestRecord, progress: RequestProgress) -> Any:
            if context.request.model == "m":
                raise NoAccounts("spent")
            yield None
            raise ZeroDivisionError

        served = chain(stream, "n")  # type: ignore[arg-type]
        events = served.events()
        assert next(events) is None

        if client_leaves:
            events.close()
        else:
            with pytest.raises(ZeroDivisionError):
                next(events)
        context, error = served.take_refusal() or pytest.fail("no refusal")
        assert context.request.model == "m"
        assert (type(error) is ClientGone) == client_leaves
        assert not isinstance(error, NoAccounts)

    def test_the_first_failure_is_reported(self) -> None:
        first = NoAccounts("first")
        served = chain(Models(m=first, n=NoAccounts("second")), "n")

        with pytest.raises(NoAccounts) as caught:
            list(served.events())
        assert caught.value is first
        assert served.context.request.model == "m", "headers and the error describe the same failure"

    def test_models_that_did_not_admit_it_are_recorded(self) -> None:
        """At the model that did, bounded; a target of the same model at other accounts is one of its own."""
        records: list[RequestRecord] = []

        def stream(context: RequestContext, record: RequestRecord, progress: RequestProgress) -> Any:
            records.append(record)
            if len(records) == 12:
                yield RESPONSE
                return
            error = NoAccounts("x")
            error.admission = {"seen": [[f"acct_{number}", False, "missing"] for number in range(9)]}
            raise error

        contexts = [make_request(model="n", request_id=f"req_1-{number}") for number in range(1, 12)]
        context = make_request(fallbacks=tuple(contexts))
        served = FallbackChain(context, stream, RequestProgress(0.0, 600.0, 0.0, fallbacks_left=11))

        assert list(served.events()) == [RESPONSE]
        row = records[-1].settle(served.context, 1.0, {}).row
        assert [one["model"] for one in row["passed_over"]] == ["m", *["n"] * 7]
        assert row["passed_over"][0]["code"] == "no_accounts"
        assert [one["account"] for one in row["passed_over"][0]["seen"]] == [f"acct_{n}" for n in range(4)]
        assert "passed_over" not in records[0].settle(context, 1.0, {}).row

    def test_a_refusal_has_the_wait_for_any_model(self) -> None:
        first = NoAccounts("first")
        first.admission = {"accounts": {}}

        def stream(context: RequestContext, record: RequestRecord, progress: RequestProgress) -> Any:
            progress.queued_seconds = 2.5
            raise first
            yield

        with pytest.raises(NoAccounts):
            list(FallbackChain(make_request(), stream, RequestProgress(0.0, 600.0, 0.0)).events())
        assert first.admission == {"accounts": {}, "queued_ms": 2500}

    def test_a_failure_of_the_request_ends_it(self) -> None:
        models = Models(m=InvalidRequest("x"))

        with pytest.raises(InvalidRequest):
            list(chain(models, "n").events())
        assert models.tried == ["m"]

    def test_nothing_is_known_before_an_account_is_tried(self) -> None:
        served = chain(Models())

        assert served.served_by().account_name == ""
        assert (served.upstream_head(), served.upstream_body(), served.take_raw_events()) == (None, {}, [])
        assert served.ledger_row is None
        assert not served.cache_use().is_hit

    def test_raw_events_are_taken_once(self) -> None:
        attempt = FakeAttempt()
        attempt.raw_events = [{"a": 1}]

        def stream(context: RequestContext, record: RequestRecord, progress: RequestProgress) -> Any:
            record.start_attempt(attempt, Selection("a"))
            return iter([RESPONSE])

        served = FallbackChain(make_request(), stream, RequestProgress(0.0, 600.0, 0.0))
        list(served.events())

        assert served.take_raw_events() == [{"a": 1}]
        assert served.take_raw_events() == []

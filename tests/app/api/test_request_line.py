"""The line `request_ended`: however a request ends, it has its ids, key, model, status, outcome and code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.accounts.account import Account
from app.errors import ClientGone, NoAccounts, StoreUnavailable, UpstreamUnreachable
from app.relay.context import RequestContext
from app.relay.fallbacks import FallbackChain
from app.relay.progress import RequestProgress, progress_of
from app.relay.request_record import RequestRecord
from app.stores.records.admission import Selection
from app.stores.records.api_keys import ApiKey
from app.streaming.events import Event
from tests.support.api import BEARER, FakeServices
from tests.support.relay import FakeAttempt

URL = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED = BODY | {"stream": True}
WITH_FALLBACK = BODY | {"fallbacks": ["n"]}
ALWAYS = {"request_id", "poolgate_request_id", "method", "endpoint", "key", "key_name", "model", "status"}
OF_ROW = {"account", "account_name", "outcome", "attempts", "input_tokens", "output_tokens"}


@dataclass
class Step:
    """What happens at one model: *error* before or after it was admitted, after *keepalives*."""

    error: Exception | None = None
    is_admitted: bool = True
    keepalives: int = 0


class Services(FakeServices):
    """Serves each model as its step describes, and settles requests that were admitted."""

    def __init__(self, steps: dict[str, Step], key: ApiKey | None = None) -> None:
        super().__init__(key=key)
        self._steps = steps

    def serve(self, context: RequestContext) -> FallbackChain:
        progress = progress_of(context, 0.0, 600.0)
        return FallbackChain(context, self._stream_step, progress)

    def _stream_step(
        self, context: RequestContext, record: RequestRecord, progress: RequestProgress
    ) -> Iterator[list[Event] | None]:
        step = self._steps[context.request.model]
        if not step.is_admitted:
            yield from [None] * step.keepalives
            assert step.error is not None
            raise step.error
        account = Account("acct_1", f"of-{context.request.model}", "openai", "http://127.0.0.1:1/v1")
        try:
            record.start_attempt(FakeAttempt(account, context=context), Selection(account.id))
            yield from [None] * step.keepalives
            if step.error is not None:
                raise step.error
            yield [Event({"choices": []})]
        except BaseException as error:
            record.fail(error)
            raise
        finally:
            record.settle(context, 0.0, {})


def waited() -> ClientGone:
    error = ClientGone("The client closed the connection")
    error.admission = {"queued_ms": 700}
    return error


def refused(error: Exception | None = None, keepalives: int = 0) -> Step:
    return Step(error or NoAccounts("No account is available"), is_admitted=False, keepalives=keepalives)


FAILED = UpstreamUnreachable("The upstream refused the connection")
DEFECT = RuntimeError("a defect")


@dataclass
class Way:
    """A way in which a request ends: its body, what happens at each model, and the fields of its line."""

    expected: dict[str, Any]
    body: dict[str, Any] = field(default_factory=lambda: BODY)
    m: Step = field(default_factory=Step)
    n: Step = field(default_factory=Step)
    key: ApiKey | None = None
    headers: dict[str, str] = field(default_factory=dict)
    leaves: bool = False  # the client leaves after the first piece


UNREACHABLE = {"outcome": 502, "error": FAILED.code}
AT_M = {"model": "m", "account_name": "of-m", "attempts": 1}
AT_N = {"model": "n", "account_name": "of-n", "attempts": 1}

WAYS = {
    "answered": Way({"status": 200, "outcome": 200, **AT_M}),
    "answered by a later model": Way(
        {"status": 200, "outcome": 200, **AT_N, "asked": "m"}, WITH_FALLBACK, refused()
    ),
    "invalid body": Way({"status": 400, "code": "invalid_request_error"}, BODY | {"temperature": "hot"}),
    "invalid header": Way(
        {"status": 400, "code": "invalid_request_error"}, headers={"x-poolgate-queue-seconds": "soon"}
    ),
    "model not allowed": Way(
        {"status": 403, "code": "model_not_allowed"}, key=ApiKey("key_1", "k", "default", models=("o",))
    ),
    "not admitted": Way({"status": 503, "code": "no_accounts"}, m=refused()),
    "not admitted by any": Way(
        {"status": 503, "code": "no_accounts", "model": "m"}, WITH_FALLBACK, refused(), refused()
    ),
    "failed": Way({"status": 502, **UNREACHABLE, **AT_M}, m=Step(FAILED)),
    "failed, then not admitted": Way(
        {"status": 502, **UNREACHABLE, **AT_M}, WITH_FALLBACK, Step(FAILED), refused()
    ),
    "failed, then not admitted, streamed": Way(
        {"status": 502, **UNREACHABLE, **AT_M}, WITH_FALLBACK | STREAMED, Step(FAILED), refused()
    ),
    "not admitted, then failed": Way(
        {"status": 503, "code": "no_accounts", **UNREACHABLE, **AT_N}, WITH_FALLBACK, refused(), Step(FAILED)
    ),
    "store away": Way({"status": 503, "code": "store_unavailable"}, m=refused(StoreUnavailable("away"))),
    "failed, then store away": Way(
        {"status": 502, **UNREACHABLE, **AT_M},
        WITH_FALLBACK,
        Step(FAILED),
        refused(StoreUnavailable("away")),
    ),
    "left while waiting": Way({"status": 499, "code": "client_gone", "queued_ms": 700}, m=refused(waited())),
    "left while waiting, after a keep-alive": Way(
        {"status": 200, "code": "client_gone", "queued_ms": 700}, STREAMED, refused(waited(), keepalives=1)
    ),
    "left after a keep-alive": Way(
        {"status": 200, "code": "client_gone"}, STREAMED, refused(keepalives=9), leaves=True
    ),
    "left during the response": Way(
        {"status": 200, "outcome": 499, "error": "client_gone", **AT_M},
        STREAMED,
        Step(keepalives=9),
        leaves=True,
    ),
    "failed, then left while waiting": Way(
        {"status": 200, **UNREACHABLE, **AT_M},
        WITH_FALLBACK | STREAMED,
        Step(FAILED),
        refused(keepalives=9),
        leaves=True,
    ),
    "defect before admission": Way({"status": 500, "code": "server_error"}, m=refused(DEFECT)),
    "defect after admission": Way(
        {"status": 500, "outcome": 500, "error": "server_error", **AT_M}, m=Step(DEFECT)
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_every_end_has_a_complete_line(way: Way) -> None:
    services = Services({"m": way.m, "n": way.n}, way.key)

    with capture_logs() as logs:
        response = services.client().post(URL, json=way.body, headers=BEARER | way.headers, buffered=False)
        if way.leaves:
            next(response.iter_encoded())
        else:
            response.get_data()
        response.close()

    (line,) = [one for one in logs if one["event"] == "request_ended"]
    assert line.keys() >= ALWAYS | (OF_ROW if "outcome" in way.expected else set())
    assert {name: line.get(name) for name in way.expected} == way.expected
    assert line["poolgate_request_id"].startswith(response.headers["x-poolgate-request-id"])
    assert line["request_id"] == response.headers["x-request-id"]
    if "code" not in way.expected:
        assert "code" not in line
    for refusal in services.refusals:
        assert (refusal.code, refusal.model) == (way.expected["code"], "m")


def test_the_code_of_an_unknown_caller() -> None:
    with capture_logs() as logs:
        FakeServices().client().post(URL, json=BODY).close()

    assert (logs[-1]["status"], logs[-1]["code"]) == (401, "invalid_api_key")

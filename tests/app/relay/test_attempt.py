"""The exchange with an upstream that all attempts share."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from app.config import TimeLimits
from app.errors import StreamIncomplete, UpstreamRejected
from app.relay.attempt import AttemptInputs, EventBatches, ResponseHead, exchange
from app.relay.progress import RequestProgress
from app.relay.timeouts import AttemptDeadlines
from app.streaming.events import Event
from app.translation.requests.upstream_request import UpstreamRequest
from tests.support.relay import FakeAttempt, make_request

BATCH = [Event({"text": "Hi"})]


class Body:
    def __init__(self) -> None:
        self.ended = ""

    def close(self) -> None:
        self.ended = "closed"

    def finish(self, seconds: float) -> None:
        self.ended = "finished"


class Handler:
    """Receives one batch, then *error*; headers arrive after *waits* timeouts, or *refusal* does."""

    def __init__(
        self, error: Exception | None = None, *, waits: int = 0, refusal: Exception | None = None
    ) -> None:
        self.now = 0.0
        progress = RequestProgress(0.0, 1e9, 0.0)
        deadlines = AttemptDeadlines(TimeLimits(), reasons=False, progress=progress, clock=lambda: self.now)
        fake: Any = SimpleNamespace()
        context = make_request(body={"model": "m", "note": "Secret"})
        self.inputs = AttemptInputs(context, FakeAttempt().account, deadlines, fake)
        self.request = UpstreamRequest("chat", {"model": "m", "note": "Secret"}, [])
        self.response = ResponseHead()
        self.body = Body()
        self.was_cut = False
        self.abandoned = False
        self._error, self._waits, self._refusal = error, waits, refusal

    def send(self, trace_headers: Mapping[str, str]) -> Any:
        return SimpleNamespace(wait=self._wait, abandon=self._abandon)

    def _abandon(self) -> None:
        self.abandoned = True

    def _wait(self, seconds: float) -> Any:
        if self._refusal is not None:
            raise self._refusal
        if self._waits:
            self._waits -= 1
            self.now += TimeLimits().keepalive
            return None
        return SimpleNamespace(status=201, headers={"x": "y"}, body=self.body)

    def receive(self, response: Any) -> EventBatches:
        yield BATCH
        if self._error is not None:
            raise self._error

    def interrupt(self, body: Any) -> None: ...


def test_a_complete_response_leaves_its_connection_reusable() -> None:
    handler = Handler()

    assert list(exchange(handler)) == [BATCH]
    assert (handler.response.status, handler.response.headers) == (201, {"x": "y"})
    assert handler.body.ended == "finished"


def test_a_response_that_was_cut_closes_it() -> None:
    """Otherwise the upstream would produce, and bill, the rest."""
    handler = Handler()
    handler.was_cut = True
    list(exchange(handler))

    assert handler.body.ended == "closed"


def test_a_failure_closes_it() -> None:
    handler = Handler(StreamIncomplete("cut"))

    with pytest.raises(StreamIncomplete):
        list(exchange(handler))
    assert handler.body.ended == "closed"


def test_a_client_that_leaves_closes_it() -> None:
    handler = Handler()
    events = exchange(handler)
    next(events)
    events.close()

    assert handler.body.ended == "closed"


def test_keepalives_until_the_headers_arrive() -> None:
    handler = Handler(waits=1)

    assert list(exchange(handler)) == [None, BATCH]


def test_a_request_that_is_given_up_is_abandoned() -> None:
    handler = Handler(refusal=StreamIncomplete("gone"))

    with pytest.raises(StreamIncomplete):
        list(exchange(handler))
    assert handler.abandoned


def test_a_refusal_knows_which_of_its_words_the_request_contained() -> None:
    """This prevents a message that echoes a prompt from being logged."""
    refusal = UpstreamRejected("No", status=400, type="x", code=None)

    with pytest.raises(UpstreamRejected) as caught:
        list(exchange(Handler(refusal=refusal)))
    assert caught.value.echoes_request is not None
    assert caught.value.echoes_request("secret")
    assert not caught.value.echoes_request("other")

"""Attempts whose upstream sends one object: when they are made, and how they end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from app.accounts.account import Account, RefusedField
from app.config import TimeLimits
from app.errors import (
    StreamEventTooLarge,
    StreamIdleTimeout,
    StreamIncomplete,
    UpstreamProtocolError,
    UpstreamRejected,
)
from app.relay.attempt import AttemptInputs
from app.relay.context import Caching
from app.relay.endpoint_types import MODEL
from app.relay.model_attempt import ModelAttempt
from app.relay.progress import RequestProgress
from app.relay.timeouts import AttemptDeadlines
from app.relay.unstreamed_attempt import UnstreamedAttempt
from app.stores.records.api_keys import ApiKey
from tests.support.relay import make_request

MESSAGE = {"role": "assistant", "content": "Hi", "refusal": None}
IDENTITY: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
COMPLETION: dict[str, Any] = {
    **IDENTITY,
    "object": "chat.completion",
    "choices": [{"index": 0, "message": MESSAGE, "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
CHUNK: dict[str, Any] = {
    **IDENTITY,
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}

ALWAYS, NEVER = (
    ApiKey("k", "k", "p", settings=f'{{"stream_upstream": "{setting}"}}') for setting in ("always", "never")
)
STREAMING = (RefusedField("chat", "streaming", "m"),)
UNSTREAMED = (RefusedField("chat", "unstreamed", "m"),)


class Body:
    """Each piece is one read; None is silence."""

    def __init__(self, *pieces: bytes | None) -> None:
        self._pieces = list(pieces)
        self.reads = 0

    def read(self, seconds: float) -> bytes | None:
        self.reads += 1
        return self._pieces.pop(0) if self._pieces else b""

    def interrupt(self) -> None: ...

    def close(self) -> None: ...

    def finish(self, seconds: float) -> None: ...


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def begin(
    *pieces: bytes | None,
    content_type: str = "application/json",
    kind: str = "openai",
    protocols: tuple[str, ...] = ("chat", "responses"),
    clock: Clock | None = None,
    max_output: int | None = None,
    account_id: str = "a",
    settings: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Return the attempt that an unstreamed request begins; its upstream answers with *pieces*."""
    sent: list[Any] = []
    response = SimpleNamespace(status=200, headers={"Content-Type": content_type}, body=Body(*pieces))
    pending = SimpleNamespace(wait=lambda seconds: response, abandon=lambda: None)
    upstream: Any = SimpleNamespace(post=lambda *what, **more: sent.append(what) or pending)
    progress = RequestProgress(0.0, 1e9, 0.0)
    deadlines = AttemptDeadlines(TimeLimits(), reasons=False, progress=progress, clock=clock or Clock())
    account = Account(account_id, "a", kind, "http://127.0.0.1:1/v1", protocols=protocols, **(settings or {}))
    request = make_request(
        **{"body": {"model": "m", "messages": [], "stream": False}, "stream": False, "model": "m"} | options
    )
    inputs = AttemptInputs(request, account, deadlines, upstream, max_output=max_output)
    attempt = MODEL.begin(inputs)
    attempt.sent = sent  # type: ignore[attr-defined]
    return attempt


def test_a_native_request_goes_unstreamed_and_its_response_arrives_as_it_was_sent() -> None:
    data = orjson.dumps(COMPLETION)
    attempt = begin(data[:20], data[20:])

    ((event,),) = list(attempt.events())

    assert event.encoded() == data
    ((_, protocol, content),) = attempt.sent
    sent = orjson.loads(b"".join(content.body))
    assert (protocol, content.accept, sent["stream"]) == ("chat", "application/json", False)
    assert "stream_options" not in sent
    assert attempt.reader.reported_usage.output_tokens == 2
    assert attempt.committed


@pytest.mark.parametrize(
    "why",
    [
        {"stream": True},
        {"protocols": ("responses",)},
        {"kind": "chatgpt", "protocols": ("responses",)},
        {"max_output": 10, "kind": "compatible"},
        {"key": ALWAYS},
        {"settings": {"stream_upstream": "always"}},
        {"settings": {"refused": UNSTREAMED}},
        {"key": NEVER, "settings": {"refused": UNSTREAMED}},
        {"key": NEVER, "settings": {"stream_upstream": "auto"}, "stream": True},
        {"key": NEVER, "kind": "chatgpt", "protocols": ("responses",)},
        {"caching": Caching("k", 60.0)},
        {"client_protocol": "responses", "body": {"model": "m", "input": [], "background": True}},
    ],
    ids=[
        *("streamed", "translated", "kind", "cut", "pool", "account"),
        *("refused", "refused_although_never", "account_over_pool", "kind_although_never"),
        *("cached", "polled"),
    ],
)
def test_requests_that_stay_streamed(why: dict[str, Any]) -> None:
    attempt = begin(**why)

    assert isinstance(attempt, ModelAttempt)
    assert attempt.request.body["stream"] is True


@pytest.mark.parametrize(
    "settings",
    [
        {"stream_upstream": "never"},
        {"refused": STREAMING},
        {"stream_upstream": "always", "refused": STREAMING},
    ],
    ids=["never", "refused", "refused_although_always"],
)
@pytest.mark.parametrize(
    "why",
    [
        {"stream": True},
        {"client_protocol": "responses", "protocols": ("chat",)},
        {"max_output": 10, "kind": "compatible"},
    ],
    ids=["streamed", "translated", "cut"],
)
def test_streams_of_servers_that_cannot_stream(settings: dict[str, Any], why: dict[str, Any]) -> None:
    body = {"model": "m", "input": []} if "protocols" in why else {"model": "m", "messages": []}
    attempt = begin(orjson.dumps(COMPLETION), settings=settings, body=body, **why)

    events = [event for batch in attempt.events() for event in batch]

    assert isinstance(attempt, ModelAttempt)
    ((_, _, content),) = attempt.sent
    sent = orjson.loads(b"".join(content.body))
    assert (content.accept, sent["stream"], "stream_options" in sent) == ("application/json", False, False)
    assert any(b"Hi" in event.encoded() for event in events)
    assert attempt.reader.reported_usage.output_tokens == 2


@pytest.mark.parametrize("label", ["text/event-stream", "application/json", "text/plain", ""])
@pytest.mark.parametrize("pieces", [1, 2, 100])
def test_a_server_that_streams_although_it_should_not(label: str, pieces: int) -> None:
    data = b"\n\ndata: %b\n\ndata: [DONE]\n\n" % orjson.dumps(CHUNK)
    length = len(data) // pieces + 1
    cut = [data[start : start + length] for start in range(0, len(data), length)]
    attempt = begin(*cut, content_type=label)

    ((event,),) = list(attempt.events())

    assert isinstance(attempt, UnstreamedAttempt)
    assert event.payload == CHUNK
    assert attempt.reader.finish == "stop"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/octet-stream", "text/event-stream"])
def test_other_content_types_of_a_response(content_type: str) -> None:
    attempt = begin(orjson.dumps(COMPLETION), content_type=content_type)

    assert len(list(attempt.events())) == 1


@pytest.mark.parametrize(
    ("data", "content_type", "error"),
    [
        (b"<html>", "text/html", UpstreamProtocolError),
        (b"{", "application/json", UpstreamProtocolError),
        (b"", "application/json", UpstreamProtocolError),
        (b"Not found", "text/plain", UpstreamProtocolError),
        (b"", "text/event-stream", StreamIncomplete),
        (b'{"error": {"message": "No"}}', "application/json", UpstreamRejected),
        (
            orjson.dumps({**COMPLETION, "choices": [{"message": MESSAGE}]}),
            "application/json",
            StreamIncomplete,
        ),
        (b'{"choices": [{"message": 7}]}', "application/json", UpstreamProtocolError),
    ],
)
def test_bodies_that_are_not_a_complete_response(
    data: bytes, content_type: str, error: type[Exception]
) -> None:
    attempt = begin(data, content_type=content_type)

    with pytest.raises(error):
        list(attempt.events())
    assert not attempt.committed


def test_usage_without_a_known_count_is_logged() -> None:
    attempt = begin(orjson.dumps({**COMPLETION, "usage": {"pages": 1}}), account_id="unknown-usage")

    with capture_logs() as lines:
        list(attempt.events())

    assert [(line["event"], line["account"], line["fields"]) for line in lines] == [
        ("upstream_usage_not_understood", "unknown-usage", ("pages",))
    ]


def test_raw_responses_where_the_client_receives_them() -> None:
    attempt = begin(orjson.dumps(COMPLETION), include_raw=True)
    list(attempt.events())

    assert attempt.raw_events == [COMPLETION]


class TestTimeLimits:
    def test_are_those_of_an_unstreamed_response(self) -> None:
        clock = Clock()
        attempt = begin(None, orjson.dumps(COMPLETION), clock=clock)
        events = attempt.events()
        clock.now = 110.0

        assert next(events) is None  # the client is due a keep-alive
        assert len(list(events)) == 1

    def test_end_the_wait(self) -> None:
        clock = Clock()
        attempt = begin(None, clock=clock)
        events = attempt.events()
        clock.now = 121.0

        with pytest.raises(StreamIdleTimeout):
            next(events)

    def test_start_again_with_blank_lines(self) -> None:
        clock = Clock()
        attempt = begin(None, b"\n", None, orjson.dumps(COMPLETION), clock=clock)
        events = attempt.events()
        clock.now = 110.0
        next(events)
        clock.now = 121.0

        assert list(events)[-1]


def test_a_response_that_is_too_large() -> None:
    """What passes unchanged may be longer than what is translated."""
    piece = b" " * 4 * 1024 * 1024
    attempt = begin(b"{", *([piece] * 16))

    with pytest.raises(StreamEventTooLarge, match=r"64 MiB of JSON$"):
        list(attempt.events())

"""POST /v1/chat/completions over a fake relay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.errors import NoAccounts, StreamIncomplete
from app.relay.context import RequestContext
from app.streaming.events import Event
from tests.support.api import BEARER, FakeServices

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
URL = "/v1/chat/completions"


def chunk(**choice: Any) -> Event:
    fields = {"object": "chat.completion.chunk", "created": 1, "model": "m"}
    return Event({"id": "c", **fields, "choices": [choice]})


TEXT = chunk(index=0, delta={"role": "assistant", "content": "Hello"})
STOP = chunk(index=0, delta={}, finish_reason="stop")


def respond(context: RequestContext) -> Iterator[Any]:
    yield [TEXT]
    yield None
    yield [STOP]


def breaking(context: RequestContext) -> Iterator[Any]:
    yield [TEXT]
    raise StreamIncomplete("The stream broke off")


def refusing(context: RequestContext) -> Iterator[Any]:
    raise NoAccounts("No account is available", retry_after_seconds=5)
    yield


class TestObject:
    def test_the_events_are_folded(self) -> None:
        response = FakeServices(respond).client().post(URL, json=BODY, headers=BEARER)

        assert response.status_code == 200
        assert response.json is not None
        assert response.json["choices"][0]["message"]["content"] == "Hello"
        assert response.headers["x-poolgate-request-id"].startswith("req_")

    def test_a_failure_is_a_status(self) -> None:
        response = FakeServices(breaking).client().post(URL, json=BODY, headers=BEARER)

        assert response.status_code == 502
        assert response.json is not None
        assert response.json["error"]["code"] == "stream_incomplete"


class TestStream:
    def test_chunks_keepalives_and_the_end(self) -> None:
        response = FakeServices(respond).client().post(URL, json=BODY | {"stream": True}, headers=BEARER)

        frames = response.data.split(b"\n\n")
        assert response.content_type.startswith("text/event-stream")
        assert b"Hello" in frames[0]
        assert frames[1].startswith(b":")
        assert frames[-2:] == [b"data: [DONE]", b""]

    def test_a_broken_stream_ends_with_an_error_event(self) -> None:
        response = FakeServices(breaking).client().post(URL, json=BODY | {"stream": True}, headers=BEARER)

        assert response.status_code == 200
        assert b'"stream_incomplete"' in response.data
        assert b"finish_reason" not in response.data

    def test_a_failure_before_the_first_event_is_a_status(self) -> None:
        response = FakeServices(refusing).client().post(URL, json=BODY | {"stream": True}, headers=BEARER)

        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"


def test_what_the_relay_receives() -> None:
    services = FakeServices(respond)
    services.client().post(URL, json=BODY | {"stream": True}, headers=BEARER | {"x-codex-turn": "1"})

    (context,) = services.contexts
    assert (context.request.client_protocol, context.request.model, context.request.endpoint) == (
        "chat",
        "m",
        URL,
    )
    assert context.options.stream
    assert not context.options.include_usage
    assert context.caller.headers == {"X-Codex-Turn": "1"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk-pg-other"}])
def test_without_a_key(headers: dict[str, str]) -> None:
    assert FakeServices(respond).client().post(URL, json=BODY, headers=headers).status_code == 401


def test_an_invalid_body_names_the_field() -> None:
    response = FakeServices(respond).client().post(URL, json={"model": "m"}, headers=BEARER)

    assert response.status_code == 400
    assert response.json is not None
    assert response.json["error"]["param"] == "messages"

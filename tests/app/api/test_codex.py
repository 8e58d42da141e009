"""/backend-api/codex: always a stream, with the events of the ChatGPT backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.relay.context import RequestContext
from app.streaming.events import Event
from tests.support.api import BEARER, FakeServices

BODY = {"model": "m", "input": [], "instructions": "x", "stream": False, "store": False}


def respond(context: RequestContext) -> Iterator[Any]:
    yield [Event({"type": "response.completed", "response": {"id": "resp_1"}})]


def test_the_response_is_a_stream_whatever_is_requested() -> None:
    services = FakeServices(respond)
    response = services.client().post("/backend-api/codex/responses", json=BODY, headers=BEARER)

    assert response.content_type.startswith("text/event-stream")
    assert response.data.endswith(b"data: [DONE]\n\n")
    (context,) = services.contexts
    assert context.options.stream
    assert context.options.keep_codex_events


def test_models_are_the_catalogue() -> None:
    response = FakeServices().client().get("/backend-api/codex/models", headers=BEARER)

    assert response.json is not None
    assert set(response.json) == {"models", "object", "data"}

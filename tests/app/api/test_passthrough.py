"""Endpoints that pass through: JSON as a unit, anything else in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.errors import StreamIncomplete
from app.relay.context import RequestContext
from tests.support.api import BEARER, FakeServices

SPEECH = {"model": "m", "input": "Hi", "voice": "alloy"}


def services_of(content_type: str, *batches: Any, error: Exception | None = None) -> FakeServices:
    def respond(context: RequestContext) -> Iterator[Any]:
        yield from batches
        if error is not None:
            raise error

    services = FakeServices(respond)
    services.attempt.response.headers = {"Content-Type": content_type}
    return services


def test_json() -> None:
    services = services_of("application/json", None, [b'{"data":[]}'])
    response = services.client().post("/v1/embeddings", json={"model": "m", "input": "Hi"}, headers=BEARER)

    assert (response.status_code, response.data) == (200, b'{"data":[]}')
    (context,) = services.contexts
    assert b"".join(context.request.raw_body) == b'{"model":"m","input":"Hi"}'
    assert (context.request.client_protocol, context.routing.affinity) == ("embeddings", "")


def test_audio() -> None:
    services = services_of("audio/mpeg", [b"ab"], [b"cd"])
    response = services.client().post("/v1/audio/speech", json=SPEECH, headers=BEARER)

    assert (response.data, response.content_type) == (b"abcd", "audio/mpeg")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_broken_audio_breaks_the_connection() -> None:
    """Nothing else shows that it is incomplete."""
    services = services_of("audio/mpeg", [b"ab"], error=StreamIncomplete("cut"))

    response = services.client().post("/v1/audio/speech", json=SPEECH, headers=BEARER)

    with pytest.raises(ConnectionResetError):
        response.get_data()


def test_broken_events_end_with_an_error_event() -> None:
    services = services_of("text/event-stream", [b"data: {}\n\n"], error=StreamIncomplete("cut"))
    response = services.client().post("/v1/audio/speech", json=SPEECH, headers=BEARER)

    assert b'"stream_incomplete"' in response.data

"""What surrounds a request: the refusal log, and capacity that is given back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import ref

import pytest
from flask import Response

from app.api.request_lifecycle import RequestScope
from app.errors import GatewayError, NoAccounts, StreamIncomplete
from app.relay.context import RequestContext
from app.relay.fallbacks import FallbackChain
from app.streaming.events import Event
from tests.support.api import BEARER, FakeServices
from tests.support.garbage import garbage_of

URL = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def refusing(context: RequestContext) -> Iterator[Any]:
    raise NoAccounts("No account is available")
    yield


def answering(context: RequestContext) -> Iterator[Any]:
    yield [Event({"choices": []})]


def breaking_off(context: RequestContext) -> Iterator[Any]:
    yield [Event({"choices": []})]
    raise StreamIncomplete("The upstream closed the connection")


def test_an_invalid_request_is_in_the_refusal_log() -> None:
    services = FakeServices()
    response = services.client().post(URL, json={"model": "m"}, headers=BEARER)
    response.close()

    (refusal,) = services.refusals
    assert refusal.id == response.headers["x-poolgate-request-id"]
    assert (refusal.status, refusal.model, refusal.endpoint, refusal.key) == (400, "m", URL, "key_1")
    assert refusal.param == "messages"


def test_so_is_a_refused_admission() -> None:
    services = FakeServices(refusing)
    response = services.client().post(URL, json=BODY, headers=BEARER)
    response.close()

    (refusal,) = services.refusals
    assert refusal.id == response.headers["x-poolgate-request-id"]
    assert (refusal.status, refusal.code) == (503, NoAccounts("x").code)


def test_unknown_callers_are_not() -> None:
    services = FakeServices()
    services.client().post(URL, json=BODY).close()
    services.client().get("/v1/nothing", headers=BEARER).close()

    assert services.refusals == []


class Payload(dict[str, Any]):
    """The payload of an event, which a weak reference can refer to."""


def test_an_open_stream_retains_no_event_that_was_sent() -> None:
    """A thousand open streams would retain as many first events, and last ones."""
    sent: list[ref[Payload]] = []
    retained: list[int] = []

    def answering_slowly(context: RequestContext) -> Iterator[Any]:
        for _ in range(3):
            payload = Payload(choices=[])
            sent.append(ref(payload))
            events = [Event(payload)]
            del payload
            yield events
            del events
            retained.append(sum(payload() is not None for payload in sent))

    response = FakeServices(answering_slowly).client().post(URL, json=BODY | {"stream": True}, headers=BEARER)
    assert response.data.count(b"choices") == 3
    response.close()

    assert retained == [0, 0, 0]


def test_an_ended_request_needs_no_garbage_collection() -> None:
    """It is freed with its prompt as soon as its response is closed."""
    client = FakeServices(answering).client()

    with garbage_of(Response, RequestScope, FallbackChain) as garbage:
        response = client.post(URL, json=BODY | {"stream": True}, headers=BEARER)
        assert response.data.endswith(b"data: [DONE]\n\n")
        response.close()
        del response

    assert garbage == []


@pytest.mark.parametrize("body", [BODY, BODY | {"stream": True}, BODY | {"models": ["m2"]}, {"model": "m"}])
def test_neither_does_a_refused_one(body: dict[str, Any]) -> None:
    """The traceback of its error refers to the request, which must not refer to the error."""
    client = FakeServices(refusing).client()

    with garbage_of(Response, RequestScope, FallbackChain, RequestContext, GatewayError) as garbage:
        client.post(URL, json=body, headers=BEARER).close()

    assert garbage == []


def test_neither_does_one_that_breaks_off() -> None:
    client = FakeServices(breaking_off).client()

    with garbage_of(Response, RequestScope, FallbackChain, RequestContext, GatewayError) as garbage:
        for streams in (True, False):
            response = client.post(URL, json=BODY | {"stream": streams}, headers=BEARER)
            assert b"closed the connection" in response.data
            response.close()
        del response

    assert garbage == []

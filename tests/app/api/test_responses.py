"""POST /v1/responses over a fake relay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.relay.context import RequestContext
from app.streaming.events import Event
from tests.support.api import BEARER, FakeServices

COMPLETED = {"id": "resp_1", "object": "response", "status": "completed", "output": [], "usage": None}


def respond(context: RequestContext) -> Iterator[Any]:
    yield [Event({"type": "response.completed", "sequence_number": 0, "response": COMPLETED})]


def test_an_object() -> None:
    body = {"model": "m", "input": "Hi"}
    response = FakeServices(respond).client().post("/v1/responses", json=body, headers=BEARER)

    assert response.status_code == 200
    assert response.json is not None
    assert response.json["id"] == "resp_1"


def test_a_stream() -> None:
    body = {"model": "m", "input": "Hi", "stream": True}
    response = FakeServices(respond).client().post("/v1/responses", json=body, headers=BEARER)

    assert response.data.startswith(b"event: response.completed\n")


def test_a_reference_to_a_stored_item_is_not_found() -> None:
    """No item is stored for a key: the id would be another caller's."""
    body = {"model": "m", "input": [{"type": "item_reference", "id": "msg_1"}]}
    services = FakeServices(respond)
    response = services.client().post("/v1/responses", json=body, headers=BEARER)

    assert response.status_code == 404
    assert not services.contexts

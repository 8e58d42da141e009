"""POST /v1/responses/compact: the compaction alone, whichever account made it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.relay.context import RequestContext
from app.streaming.events import Event
from tests.support.api import BEARER, FakeServices

BODY = {"model": "m", "input": [{"role": "user", "content": "Hi"}]}
ITEM = {"type": "compaction", "encrypted_content": "x"}


def completed(kind: str, *output: dict[str, Any]) -> Event:
    response = {"id": "resp_1", "object": kind, "created_at": 1, "output": list(output), "usage": None}
    return Event({"type": "response.completed", "sequence_number": 0, "response": response})


def post(event: Event) -> Any:
    def respond(context: RequestContext) -> Iterator[Any]:
        yield [event]

    return FakeServices(respond).client().post("/v1/responses/compact", json=BODY, headers=BEARER)


def test_an_ordinary_response_is_reduced_to_its_compaction() -> None:
    response = post(completed("response", {"type": "message"}, ITEM))

    assert response.json["object"] == "response.compaction"
    assert response.json["output"] == [ITEM]


def test_a_compaction_is_complete() -> None:
    items = [{"type": "message"}, ITEM]

    assert post(completed("response.compaction", *items)).json["output"] == items


def test_a_response_without_one_is_a_failure() -> None:
    assert post(completed("response", {"type": "message"})).status_code == 502

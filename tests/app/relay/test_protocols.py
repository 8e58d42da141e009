"""Which translator turns an upstream's events into the client's."""

from __future__ import annotations

import pytest

from app.relay.protocols import PROTOCOLS, translator_for
from app.streaming.events import Event
from app.translation.events.chat_to_chat import ChatPassThrough
from app.translation.events.chat_to_responses import ChatToResponses
from app.translation.events.responses_to_chat import ResponsesToChat
from app.translation.events.responses_to_responses import ResponsesPassThrough
from tests.support.relay import make_request


@pytest.mark.parametrize(
    ("client", "upstream", "expected"),
    [
        ("chat", "chat", ChatPassThrough),
        ("chat", "responses", ResponsesToChat),
        ("responses", "responses", ResponsesPassThrough),
        ("responses", "chat", ChatToResponses),
    ],
)
def test_translator(client: str, upstream: str, expected: type) -> None:
    assert isinstance(translator_for(make_request(client_protocol=client), upstream), expected)


def test_ids_derive_from_the_request() -> None:
    """So that a response can be found in the ledger by its id."""
    translator = translator_for(make_request(client_protocol="responses", request_id="req_abc"), "chat")
    chunk = Event({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})

    assert translator.translate([chunk])[0].payload["response"]["id"] == "resp_abc"


@pytest.mark.parametrize("name", ["chat", "responses"])
def test_readers(name: str) -> None:
    reader = PROTOCOLS[name].reader({"n": 2})

    assert not reader.can_end()
    assert reader.reported_usage is None

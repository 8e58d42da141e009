"""An event that is not of its protocol is the upstream's failure."""

from __future__ import annotations

import pytest

from app.errors import UpstreamProtocolError
from app.streaming.chat_protocol import ChatReader
from app.streaming.events import Event
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS, to_protocol_error


def test_the_error_has_the_location_and_no_content() -> None:
    with pytest.raises(MALFORMED_EVENT_ERRORS) as raised:
        {"secret": 1}["another secret"]

    error = to_protocol_error(raised.value)

    assert isinstance(error, UpstreamProtocolError)
    assert error.location.startswith("KeyError in test_the_error_has_the_location_and_no_content:")
    assert "secret" not in error.message + error.location


def test_readers_survive_choices_of_another_type() -> None:
    reader = ChatReader()

    reader.observe(Event({"choices": [None, "text", {"delta": 7}]}))

    assert reader.output_bytes == 0

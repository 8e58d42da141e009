from __future__ import annotations

import orjson
import pytest
import sseclient

from app.streaming import frames
from app.streaming.events import Event
from app.streaming.sse import EventDecoder

ENVELOPE = {"error": {"message": "no", "type": "server_error", "code": "upstream_error"}}


def messages(stream: bytes) -> list[sseclient.Event]:
    return list(sseclient.SSEClient(iter([stream])).events())


class TestChat:
    def test_data_alone(self):
        events = [Event({"n": 1}, b'{ "n": 1 }'), Event({"n": 2})]

        assert frames.chat_frames(events) == b'data: { "n": 1 }\n\ndata: {"n":2}\n\n'

    def test_no_events_no_bytes(self):
        assert frames.chat_frames([]) == frames.responses_frames([]) == b""

    def test_error_ends_with_the_sentinel(self):
        error, done = messages(frames.chat_error(ENVELOPE))

        assert orjson.loads(error.data) == ENVELOPE
        assert done.data == "[DONE]"


class TestResponses:
    def test_type_is_the_name(self):
        event = Event({"type": "response.created", "sequence_number": 0})

        assert frames.responses_frames([event]) == (
            b'event: response.created\ndata: {"type":"response.created","sequence_number":0}\n\n'
        )

    def test_no_type_no_name(self):
        assert frames.responses_frames([Event({})]) == b"data: {}\n\n"

    @pytest.mark.parametrize("name", ["a\ndata: {}", "a\r\rb", "a\u2028", "\0"])
    def test_type_cannot_begin_a_line(self, name):
        [message] = messages(frames.responses_frames([Event({"type": name})]))

        assert orjson.loads(message.data) == {"type": name}

    def test_keepalive_has_data(self):
        [message] = messages(frames.responses_keepalive(7))

        assert message.event == "keepalive"
        assert orjson.loads(message.data) == {"type": "keepalive", "sequence_number": 7}

    def test_failed(self):
        response = {"id": "resp_1", "status": "failed"}
        [message] = messages(frames.responses_failed(response, 9))

        assert message.event == "response.failed"
        assert orjson.loads(message.data) == {
            "type": "response.failed",
            "sequence_number": 9,
            "response": response,
        }


def test_comment_is_no_event():
    decoder = EventDecoder()

    assert decoder.decode_events(frames.COMMENT) == decoder.flush() == []


def test_frames_decode_to_what_they_were():
    events = [Event({"type": "response.output_text.delta", "delta": "a\n\u2028é\r"}), Event({"x": None})]
    for encode in (frames.chat_frames, frames.responses_frames):
        assert [event.payload for event in EventDecoder().decode_events(encode(events))] == [
            e.payload for e in events
        ]


def test_a_name_that_no_event_has_is_left_out():
    """It is not cached either: an upstream may send a name of many megabytes."""
    frames.responses_frames([Event({"type": "x" * 257})])
    assert frames.responses_frames([Event({"type": "x" * 257})]) == b'data: {"type":"%b"}\n\n' % (b"x" * 257)
    assert frames.responses_frames([Event({"type": "x" * 256})]).startswith(b"event: xxx")

from __future__ import annotations

import orjson
import pytest

from app.errors import StreamEventTooLarge, UpstreamProtocolError
from app.streaming import body_decoder
from app.streaming.body_decoder import ObjectDecoder, decoder_for
from app.streaming.sse import EventDecoder

LABELS = ["text/event-stream", "", "text/plain", "application/json"]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    "data", [b"data: {}", b"event", b": queued", b"id: 1", b"\xef\xbb\xbfdata: {}", b"\n\ndata"]
)
def test_stream(label, data):
    assert isinstance(decoder_for("chat", label, data), EventDecoder)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("data", [b'{"', b"\n\n {", b"[{"])
def test_object(label, data):
    assert isinstance(decoder_for("chat", label, data), ObjectDecoder)


@pytest.mark.parametrize("label", LABELS)
def test_blank_lines_show_nothing_yet(label):
    assert decoder_for("chat", label, b"\n\n") is None


@pytest.mark.parametrize("data", [b"<html>", b"Internal"])
def test_neither(data):
    with pytest.raises(UpstreamProtocolError, match="text/html"):
        decoder_for("chat", "text/html", data)


def events_of(protocol: str, *pieces: bytes) -> list:
    decoder = ObjectDecoder(protocol)
    assert [decoder.decode_events(piece) for piece in pieces] == [[]] * len(pieces)
    events = decoder.flush()
    if decoder.error is not None:
        raise decoder.error
    return events


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no"}},
        {"error": "no", "code": "x"},
        {"object": "error", "message": "no"},
        [{"error": {"message": "no"}}],
        {"choices": [], "error": {"message": "no"}},
    ],
)
@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_error(protocol, body):
    [event] = events_of(protocol, orjson.dumps(body))

    assert event.type == "error"
    assert (event.payload.get("error") or event.payload["message"]) in ("no", {"message": "no"})


def test_pieces_are_joined():
    events = events_of("chat", b'{"choices":[{"message":{"con', b'tent":"a"},"finish_reason":"stop"}]}')

    assert events[0].payload["choices"][0]["delta"]["content"] == "a"


@pytest.mark.parametrize("body", [b'{"a":', b'{"a":1}', b"[1]", b"[]", b'{"output":[],"status":"queued"}'])
@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_no_response(protocol, body):
    with pytest.raises(UpstreamProtocolError):
        events_of(protocol, body)


def test_too_large():
    """The bound of a response that is translated is below that of one that passes unchanged."""
    assert body_decoder.MAX_TRANSLATED_OBJECT_BYTES < body_decoder.MAX_OBJECT_BYTES
    piece = b" " * 1024 * 1024
    with pytest.raises(
        StreamEventTooLarge, match="more than 16 MiB of JSON in a response that is translated"
    ):
        events_of("chat", b"{", *([piece] * 16))

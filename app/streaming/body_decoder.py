"""
Decode the body of a response by what it is, not by its label.

Servers send streams as text/plain or application/json, and one JSON object where a stream was
requested: a response or an error. The first byte shows which of the two a body is.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

from app.errors import StreamEventTooLarge, UpstreamError, UpstreamProtocolError
from app.streaming.events import Event
from app.streaming.lenient_json import loads
from app.streaming.sse import MAX_EVENT_BYTES, EventDecoder
from app.streaming.unfold import UNFOLD, error_event, object_in

# Bounds of a response that is one JSON object. An unchanged one may hold speech in Base64. One that is
# translated or unfolded into events is in memory several times, and its text becomes a single event.
MAX_OBJECT_BYTES = 64 * 1024 * 1024
MAX_TRANSLATED_OBJECT_BYTES = MAX_EVENT_BYTES
EVENT_STREAM = "text/event-stream"
_FIELDS = (b"data", b"event", b":", b"id", b"retry", b"error")  # names of the first field of a stream
BLANK = b"\xef\xbb\xbf \t\r\n"  # before a response: some servers send blank lines while they work


def decoder_for(protocol: str, content_type: str, data: bytes) -> EventDecoder | ObjectDecoder | None:
    """
    Return the decoder of a response that begins with *data*; None if *data* does not show which.

    Raises UpstreamProtocolError if it is neither a stream nor JSON.
    """
    beginning = data.lstrip(BLANK)
    if begins_object(beginning):
        return ObjectDecoder(protocol)
    is_labelled = content_type in (EVENT_STREAM, "")
    if not beginning:
        return EventDecoder() if is_labelled and not data else None
    if is_labelled:
        return EventDecoder()
    if begins_stream(beginning):
        return EventDecoder()
    raise not_a_stream(content_type)


def begins_object(beginning: bytes) -> bool:
    """Return whether a body with *beginning*, which is not blank, is an object, perhaps in a list."""
    return beginning[:1] in (b"{", b"[")


def begins_stream(beginning: bytes) -> bool:
    """Return whether a body with *beginning*, which is not blank, is a stream of events."""
    return bool(beginning) and any(beginning.startswith(field[: len(beginning)]) for field in _FIELDS)


def not_a_stream(content_type: str) -> UpstreamProtocolError:
    """Return the error of a response that is neither a stream nor JSON."""
    return UpstreamProtocolError(
        f"The upstream answered with {content_type[:60]} instead of a stream of events"
    )


def object_too_large(max_bytes: int, where: str = "") -> StreamEventTooLarge:
    """Return the error of a response with more than *max_bytes* of JSON."""
    return StreamEventTooLarge(f"The upstream sent more than {max_bytes >> 20} MiB of JSON{where}")


class ObjectDecoder:
    """Decodes one JSON object, at the end of its body, to the events of a stream."""

    is_between_events = False  # it has one object

    def __init__(self, protocol: str) -> None:
        self.error: UpstreamError | None = None
        self.comments = 0
        self._protocol = protocol
        self._pieces: list[bytes] = []
        self._bytes = 0

    def decode_events(self, data: bytes) -> list[Event]:
        """Buffer *data*; there are no events before the end."""
        self._bytes += len(data)
        if self._bytes > MAX_TRANSLATED_OBJECT_BYTES:
            self.error = object_too_large(MAX_TRANSLATED_OBJECT_BYTES, " in a response that is translated")
            self._pieces = []
        elif data:
            self._pieces.append(data)
        return []

    def flush(self) -> list[Event]:
        """Return the events of the response, or the event of the error that was sent in its place."""
        if self.error is not None:
            return []
        try:
            payload = loads(b"".join(self._pieces).strip(BLANK))
        except ValueError:
            self.error = UpstreamProtocolError("The upstream answered with something that is not JSON")
            return []
        try:
            payload = object_in(payload)
            event = error_event(payload)
            return UNFOLD[self._protocol](payload) if event is None else [event]
        except UpstreamProtocolError as error:
            self.error = error
            return []

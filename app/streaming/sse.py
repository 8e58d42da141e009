"""
Decode the bytes of a `text/event-stream` to events.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
and the APIs' convention: every event has one JSON object, or is `[DONE]`. Any other JSON value
(`data: "keepalive"`, `data: []`) is ignored.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from app.errors import StreamEventTooLarge, UpstreamError, UpstreamProtocolError
from app.streaming.events import DONE, Event
from app.streaming.lenient_json import (
    COUNTED_FROM_BYTES,
    MIN_DEEP_BYTES,
    has_too_many_values,
    is_too_deep,
    loads_tolerantly,
)
from app.streaming.surrogates import SurrogateJoiner

MAX_EVENT_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"

# The usual events: at most a name, one line of data, a blank line.
_DATA = b"data: "
_BETWEEN = b"\n\n" + _DATA
_PLAIN = re.compile(rb"(?:(?:event: .*+\n)?+data: .*+\n\n)++")
_NOT_PRINTABLE = re.compile(rb"[^\t -~]")  # in a field name; unknown names that are printable are ignored
_PLAIN_DATA = re.compile(rb"(?:event: .*+\n)?+data: (.*+)\n\n")
# A search for one byte is given as a number: `bytes in bytes` costs ten times as much for a short event.
_CR, _LF = b"\r\n"


class EventDecoder:
    """
    Decodes one stream, given in pieces of any size.

    `error` is set once the stream cannot be decoded further: an event is too large, or is not
    JSON. The events before it have been returned; later data is ignored.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.error: UpstreamError | None = None
        self.comments = 0  # number of blocks that begin with a comment
        self._max_event_bytes = max_event_bytes
        self._surrogates = SurrogateJoiner()
        self._begun = False
        self._after_cr = False
        self._pending: list[bytes] = []  # pieces of the incomplete event, joined once
        self._pending_bytes = 0

    @property
    def is_between_events(self) -> bool:
        """Whether all events so far were returned, so that the next data begins with an event."""
        if self._pending or self._after_cr or self._surrogates.is_holding:
            return False
        return self._begun and self.error is None

    def decode_events(self, data: bytes) -> list[Event]:
        """Return the events that *data* completes, in order; buffer the rest."""
        if self.error is not None:
            return []
        if self._after_cr or _CR in data:
            data = self._with_newlines(data)
        if self._pending or not self._begun or data[-2:] != b"\n\n":
            data = self._take_complete(data)
        events = self._decode(data) if data else []
        # 2: half of a blank line before and behind
        if self._pending_bytes > self._max_event_bytes + 2 and self.error is None:
            self.error = self._too_large()
        return events if self.error is None else events + self._surrogates.release()

    def flush(self) -> list[Event]:
        """
        Return the last event, if the stream ended instead of its blank line.

        An event that cannot be decoded was cut off, which sets no `error`: the stream's reader
        decides whether the stream is complete.
        """
        before = self.error
        events = self.decode_events(b"\n\n\n")  # three: the first may belong to a CR
        if isinstance(self.error, UpstreamProtocolError):
            self.error = before
        return events + self._surrogates.release()

    def _with_newlines(self, data: bytes) -> bytes:
        """Return *data* with every line end as LF, also if CR LF is split between pieces."""
        if self._after_cr and data:
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if _CR in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _take_complete(self, data: bytes) -> bytes:
        """Return the text up to the last blank line, b"" if there is none; buffer the rest."""
        head, blank, rest = data.rpartition(b"\n\n")
        if not blank and self._pending and self._pending[-1].endswith(b"\n") and data.startswith(b"\n"):
            blank, rest = b"\n", data[1:]  # a blank line split between pieces
        text = b""
        if blank:
            text = b"".join((*self._pending, head, blank))
            self._pending, self._pending_bytes = [], 0
            if not self._begun:
                self._begun = True
                text = text.removeprefix(_BOM)
        if rest:
            self._pending.append(rest)
            self._pending_bytes += len(rest)
        return text

    def _decode(self, text: bytes) -> list[Event]:
        if len(text) <= self._max_event_bytes:
            events = _decode_plain(text)
            if events is not None:
                return self._surrogates.join(events) if self._surrogates.is_holding else events
        events = []
        try:
            for block in text.split(b"\n\n"):
                if len(block) > self._max_event_bytes and len(block.lstrip(b"\n")) > self._max_event_bytes:
                    raise self._too_large()
                self.comments += block.startswith(b":")
                event = _decode_block(block)
                if event is not None:
                    events += self._surrogates.join([event])
        except UpstreamError as error:
            self.error = error
        return events

    def _too_large(self) -> StreamEventTooLarge:
        return StreamEventTooLarge(f"The upstream sent an event of more than {self._max_event_bytes} bytes")


def _decode_plain(text: bytes) -> list[Event] | None:
    """Decode a read that ends with a blank line, with a few calls; None if it has anything unusual."""
    lines = text[len(_DATA) : -2].split(_BETWEEN) if text[: len(_DATA)] == _DATA else [text]
    has_names = _LF in b"".join(lines)
    if has_names:
        if not _PLAIN.fullmatch(text):
            return None
        lines = _PLAIN_DATA.findall(text)
    if len(text) > COUNTED_FROM_BYTES and has_too_many_values(text):
        return None
    done = lines[-1] == b"[DONE]"
    if done:
        del lines[-1]
    events, loads = [], orjson.loads
    try:
        for line in lines:
            payload = loads(line)
            if type(payload) is not dict or (len(line) > MIN_DEEP_BYTES and is_too_deep(line, payload)):
                return None
            if has_names and "type" not in payload:
                return None
            events.append(Event(payload, line))
    except orjson.JSONDecodeError:
        return None
    if has_names and b"event: error" in text:
        return None
    if done:
        events.append(DONE)
    return events


def _decode_block(block: bytes) -> Event | None:
    """Return the event of the lines between two blank lines, None if it has no object."""
    name, lines, error = b"", [], b""
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")  # the name of a comment is empty
        if field == b"data":
            lines.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.strip()
        elif field == b"error":  # llama.cpp writes `error` in place of `data`
            error = value.strip()
        elif _NOT_PRINTABLE.search(field):  # it may hide an event
            raise UpstreamProtocolError("The upstream sent bytes that are no stream of events")
    if error and not lines:
        name, lines = b"error", [error]
    data = b"\n".join(lines)
    if data.strip() in (b"", b"[DONE]"):
        return DONE if data.strip() else None
    payload, is_exact = (_error_object if name == b"error" else _object)(data)
    if payload is None:
        return None
    if name == b"error" and payload.get("type", "error") != "error":  # the error's type, not the event's
        return Event(
            {**payload, "type": "error"} if "error" in payload else {"type": "error", "error": payload}
        )
    if "type" not in payload and name not in (b"", b"message"):  # `message` is the default name
        return Event({"type": name.decode("utf-8", "replace"), **payload})
    return Event(payload, data if is_exact and len(lines) == 1 else None)


def _error_object(data: bytes) -> tuple[dict[str, Any], bool]:
    """Return what `_object` does; an error that is a text or a list becomes an object."""
    try:
        payload, is_exact = _object(data)
    except UpstreamProtocolError:
        if data.lstrip().startswith(b"{"):
            raise
        return {"message": data.decode("utf-8", "replace")}, False
    if payload is not None:
        return payload, is_exact
    value = loads_tolerantly(data)
    return {"errors": value} if isinstance(value, list) else {"message": value}, False


def _object(data: bytes) -> tuple[dict[str, Any] | None, bool]:
    """
    Return (the object in *data*, whether its bytes can be passed on unchanged).

    The object is None for another JSON value. A list with one error object is that object, since
    Gemini's compatible endpoint wraps its errors in a list.
    """
    is_exact = True
    if has_too_many_values(data):
        raise UpstreamProtocolError("The upstream sent an event with too many values")
    try:
        payload = orjson.loads(data)
    except orjson.JSONDecodeError:
        is_exact = False
        try:
            payload = loads_tolerantly(data)
        except ValueError:
            raise UpstreamProtocolError("The upstream sent an event that is not JSON") from None
    if is_too_deep(data, payload):
        raise UpstreamProtocolError("The upstream sent an event that is nested too deeply")
    if (
        isinstance(payload, list)
        and len(payload) == 1
        and isinstance(payload[0], dict)
        and "error" in payload[0]
    ):
        return payload[0], False
    return (payload, is_exact) if isinstance(payload, dict) else (None, False)

"""
Recognize the chunks of a chat stream that differ from an earlier one only in their text.

Nearly all chunks of most streams do. What is observed of such a chunk, and how its bytes change on their way
to the client, follows from the earlier one; so only its text is taken from its bytes, and nothing is parsed.

The text must be printable, without quotes and backslashes. Then it is a valid part of a JSON string, means
itself, and has no line end and no key. Any other chunk, or read, is decoded as usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.streaming.events import Event
from app.streaming.lenient_json import COUNTED_FROM_BYTES

TEXTS = frozenset(("content", "refusal", "reasoning_content", "reasoning"))  # of a delta
_NOTHING: tuple[Any, ...] = (None, "", [])  # values that a delta may also have
_BLANK = b"\n\n"
_LF, _QUOTE, _BACKSLASH = b'\n"\\'
MAX_FUTILE = 3  # chunks learned in a row that no other chunk resembles; then the stream's chunks differ more


class TextChunk(Event):
    """A chunk whose JSON is parsed only if its payload is used."""

    __slots__ = ("_parsed",)

    def __init__(self, payload: Mapping[str, Any] | None, data: bytes | None = None) -> None:
        self.data = data
        self._parsed: dict[str, Any] | None = payload  # type: ignore[assignment]  # a TypedDict is a dict

    @property
    def payload(self) -> dict[str, Any]:
        if self._parsed is None:
            self._parsed = orjson.loads(self.data or b"")
        return self._parsed

    @payload.setter
    def payload(self, payload: dict[str, Any]) -> None:
        self._parsed = payload


class TextChunks:
    """
    The newest learned chunk of one stream: what surrounds its text, as received and as sent.

    `begins_event` is whether the next read begins with an event, as the stream's decoder knows.
    """

    __slots__ = ("_begin", "_end", "_futile", "_sent_after", "_sent_before", "begins_event")

    def __init__(self) -> None:
        self.begins_event = False
        self._begin = self._end = b""  # of a read of one event; empty until a chunk is learned
        self._sent_before = self._sent_after = b""  # the JSON of the event
        self._futile = 0

    def learn(self, received: bytes | None, sent: Event) -> None:
        """Learn a chunk of text from its JSON as *received* and the event that is *sent* for it."""
        if self._futile >= MAX_FUTILE or received is None or sent.data is None:
            return
        read = b"data: %b\n\n" % received
        is_known = self._begin and read.startswith(self._begin) and read.endswith(self._end)
        if is_known or _text_key(sent.payload) is None:
            return
        around, sent_around = _around_text(received), _around_text(sent.data)
        if around is None or sent_around is None:
            return
        self._futile += 1
        self._begin, self._end = b"data: " + around[0], around[1] + b"\n\n"
        self._sent_before, self._sent_after = sent_around

    def texts(self, data: bytes) -> list[bytes] | None:
        """Return the texts in *data* if it consists of such chunks and none of their texts is empty."""
        begin, end = self._begin, self._end
        if not self.begins_event or len(data) > COUNTED_FROM_BYTES:
            return None
        inner = data[len(begin) : -len(end)]
        if begin + inner + end != data or not begin:
            return None
        texts = [inner] if _LF not in inner else _split(inner, end, begin)
        joined = b" ".join(texts)
        if _QUOTE in joined or _BACKSLASH in joined or not all(texts):
            return None
        try:
            return texts if joined.decode().isprintable() else None
        except UnicodeDecodeError:
            return None

    def chunks(self, texts: list[bytes]) -> list[Event]:
        """Return the chunks to send for *texts*, which `texts` has returned."""
        self._futile = 0
        before, after = self._sent_before, self._sent_after
        return [TextChunk(None, before + text + after) for text in texts]


def _split(inner: bytes, end: bytes, begin: bytes) -> list[bytes]:
    """
    Return *inner* split where an event ends and another begins; not split if it has other lines.

    `bytes.split` would prepare the search for so long a separator again and again.
    """
    first, *others = inner.split(_BLANK)
    start, stop = len(begin), len(_BLANK) - len(end)
    texts = (
        [first[:stop], *[other[start:stop] for other in others[:-1]], others[-1][start:]] if others else []
    )
    return texts if (end + begin).join(texts) == inner else [inner]


def _text_key(payload: dict[str, Any]) -> str | None:
    """
    Return the key of the text in the only delta of the chunk *payload*.

    None if the chunk has anything else that is counted, ends a choice, or depends on whether a text is empty.
    """
    choices = payload.get("choices")
    if payload.get("usage") is not None or type(choices) is not list or len(choices) != 1:
        return None
    choice = choices[0]
    delta = choice.get("delta") if type(choice) is dict else None
    if type(delta) is not dict or choice.get("finish_reason") is not None or "message" in choice:
        return None
    written = [key for key, value in delta.items() if key != "role" and value not in _NOTHING]
    if len(written) != 1 or written[0] not in TEXTS or type(delta[written[0]]) is not str:
        return None
    return str(written[0])


def _around_text(data: bytes) -> tuple[bytes, bytes] | None:
    """Return what comes before and after the text in the JSON *data* of a chunk; None if it has escapes."""
    payload = orjson.loads(data)
    key = _text_key(payload)
    if key is None:
        return None
    delta = payload["choices"][0]["delta"]
    text = delta[key].encode()
    at = data.find(b'"%b"' % text, data.find(b'"%b"' % key.encode()))
    if at < 0:
        return None
    before, after = data[: at + 1], data[at + 1 + len(text) :]
    # These bytes may also be a part of another string: with another text, only the text must differ.
    other = text + b"?"
    delta[key] += "?"
    try:
        is_exact = orjson.loads(b"%b%b%b" % (before, other, after)) == payload
    except orjson.JSONDecodeError:
        return None
    return (before, after) if is_exact else None

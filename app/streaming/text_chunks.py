"""
Recognize the chunks of a chat stream that differ from an earlier one only in their text.

Nearly all chunks of most streams do. What is observed of such a chunk, and how its bytes change on their way
to the client, follows from the earlier one; so only its text is taken from its bytes, and nothing is parsed.

The text must be printable, without quotes and backslashes. Then it is a valid part of a JSON string, means
itself, and has no line end and no key. Any other chunk, or read, is decoded as usual. The padding that OpenAI
adds to each chunk may differ as well; it is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.streaming.events import Event
from app.streaming.lenient_json import COUNTED_FROM_BYTES

TEXTS = frozenset(("content", "refusal", "reasoning_content", "reasoning"))  # of a delta
PADDING = "obfuscation"  # key of the padding of a chunk
_NOTHING: tuple[Any, ...] = (None, "", [])  # values that a delta may also have
_BLANK = b"\n\n"
_LF, _QUOTE, _BACKSLASH = b'\n"\\'
MAX_FUTILE = 3  # chunks learned in a row that no other chunk resembles; then the stream's chunks differ more
MAX_LEARNED_BYTES = 16 * 1024  # longer chunks are not learned: it is retained, and costs several parses


class TextChunk(Event):
    """A chunk with a text of `text_bytes`, whose JSON is parsed only if its payload is used."""

    __slots__ = ("_parsed", "text_bytes")

    def __init__(
        self, payload: Mapping[str, Any] | None, data: bytes | None = None, text_bytes: int = 0
    ) -> None:
        self.data = data
        self.text_bytes = text_bytes
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
    The newest learned chunk of one stream: what surrounds its text and its padding, as received and as sent.

    `begins_event` is whether the next read begins with an event, as the stream's decoder knows. `is_useless`
    is whether the chunks differ in more than these, so that nothing is learned any more.
    """

    __slots__ = ("_begin", "_end", "_futile", "_middle", "_sent", "begins_event", "is_useless")

    def __init__(self) -> None:
        self.begins_event = self.is_useless = False
        self._begin = self._end = b""  # of a read of one event; empty until a chunk is learned
        self._middle = b""  # between text and padding; empty without padding
        self._sent = (b"", b"", b"")  # before, between and after these in the JSON of the event
        self._futile = 0

    def learn(self, received: bytes | None, sent: Event) -> None:
        """Learn a chunk of text from its JSON as *received* and the event that is *sent* for it."""
        if received is None or sent.data is None:
            return
        if len(received) > MAX_LEARNED_BYTES:
            return
        read = b"data: %b\n\n" % received
        is_known = self._begin and read.startswith(self._begin) and read.endswith(self._end)
        if (is_known and self._middle in read) or _text_key(sent.payload) is None:
            return
        if self._futile >= MAX_FUTILE:
            self.is_useless = True
            return
        around, sent_around = _around_text(received), _around_text(sent.data)
        if around is None or sent_around is None:
            return
        self._futile += 1
        self._begin, self._middle, self._end = b"data: " + around[0], around[1], around[2] + b"\n\n"
        self._sent = sent_around

    def chunks(self, data: bytes) -> list[TextChunk]:
        """Return what is sent for *data* if it consists of such chunks, each with a text, else []."""
        begin, end = self._begin, self._end
        if not self.begins_event or len(data) > COUNTED_FROM_BYTES:
            return []
        inner = data[len(begin) : -len(end)]
        if begin + inner + end != data or not begin:
            return []
        inners = [inner] if _LF not in inner else _split(inner, end, begin)
        chunks = self._padded(inners) if self._middle else self._unpadded(inners)
        if chunks:
            self._futile = 0
        return chunks

    def _unpadded(self, texts: list[bytes]) -> list[TextChunk]:
        if not _are_plain(texts):
            return []
        before, _, after = self._sent
        return [TextChunk(None, before + text + after, len(text)) for text in texts]

    def _padded(self, inners: list[bytes]) -> list[TextChunk]:
        texts, chunks = [], []
        before, middle, after = self._sent
        for inner in inners:
            text, _, padding = inner.partition(self._middle)
            if not padding.isalnum():
                return []
            texts.append(text)
            chunks.append(TextChunk(None, before + text + middle + padding + after, len(text)))
        return chunks if _are_plain(texts) else []


def _are_plain(texts: list[bytes]) -> bool:
    """Return whether each of *texts* is not empty, and means itself within a JSON string."""
    joined = b" ".join(texts)
    if _QUOTE in joined or _BACKSLASH in joined or not all(texts):
        return False
    try:
        return joined.decode().isprintable()
    except UnicodeDecodeError:
        return False


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


def _around_text(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """
    Return what is before the text in the JSON *data* of a chunk, between it and the padding, and after that.

    The second is empty without padding. None if the text has escapes, or its place is not clear.
    """
    payload = orjson.loads(data)
    key = _text_key(payload)
    if key is None:
        return None
    delta, padding = payload["choices"][0]["delta"], payload.get(PADDING)
    text = delta[key].encode()
    at = data.find(b'"%b"' % text, data.find(b'"%b"' % key.encode()))
    if at < 0:
        return None
    before, middle, after = data[: at + 1], b"", data[at + 1 + len(text) :]
    delta[key] += "0"
    with_others = before + text + b"0"
    if type(padding) is str and padding.isascii() and padding.isalnum():
        middle, quote, after = after.rpartition(b'"%b"' % padding.encode())
        middle, after = middle + quote[:1], quote[-1:] + after
        payload[PADDING] += "1"  # not what the text gets, so that the two are not confused
        with_others += middle + padding.encode() + b"1"
    if not _is_value(before) or (middle and not _is_value(before + text + middle)):
        return None
    # These bytes may also be a part of another string: with other texts, only these must differ.
    try:
        is_exact = orjson.loads(with_others + after) == payload
    except orjson.JSONDecodeError:
        return None
    return (before, middle, after) if is_exact else None


def _is_value(data: bytes) -> bool:
    """Return whether the string at whose quote *data* ends is a value; a key may be hidden by another."""
    return data[:-1].rstrip(b" \t").endswith(b":")

"""Chunks of a stream that differ only in their text: which are recognized, and what is sent for them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streaming.events import Event
from app.streaming.sse import EventDecoder
from app.streaming.text_chunks import MAX_FUTILE, MAX_LEARNED_BYTES, TextChunk, TextChunks

DELTA: dict[str, Any] = {"role": "assistant", "content": "Hello", "refusal": None, "tool_calls": []}


def chunk(delta: dict[str, Any] = DELTA, choice: dict[str, Any] | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": None, **(choice or {})}]
    return orjson.dumps({"id": "c", "choices": choices, "usage": None, **more})


def learned(data: bytes, sent: bytes | None = None) -> TextChunks:
    chunks = TextChunks()
    chunks.begins_event = True
    chunks.learn(data, Event(orjson.loads(data), sent or data))
    return chunks


def texts_in(chunks: TextChunks, data: bytes) -> list[bytes] | None:
    """Return the texts of the chunks that are recognized in *data*, None if it is decoded as usual."""
    found = chunks.chunks(data)
    for each in found:
        assert each.text_bytes == len(text_of(each))
    return [text_of(each) for each in found] or None


def text_of(event: Event) -> bytes:
    delta = event.payload["choices"][0]["delta"]
    (text,) = [value for key, value in delta.items() if key != "role" and value]
    return text.encode()


def frame(*lines: bytes) -> bytes:
    return b"".join(b"data: %b\n\n" % line for line in lines)


def test_a_chunk_with_another_text() -> None:
    chunks = learned(chunk())

    (event,) = chunks.chunks(frame(chunk({**DELTA, "content": "Wörld"})))

    assert event.text_bytes == len("Wörld".encode())
    assert event.encoded() == chunk({**DELTA, "content": "Wörld"})
    assert event.payload["choices"][0]["delta"]["content"] == "Wörld"


def test_several_chunks_in_one_read() -> None:
    data = frame(*[chunk({**DELTA, "content": text}) for text in ("a", "b", "a")])

    assert texts_in(learned(chunk()), data) == [b"a", b"b", b"a"]


def test_a_read_within_an_event() -> None:
    chunks = learned(chunk())
    chunks.begins_event = False

    assert texts_in(chunks, frame(chunk())) is None


def test_what_is_sent_may_differ_from_what_was_received() -> None:
    sent = orjson.dumps({key: value for key, value in orjson.loads(chunk()).items() if key != "usage"})
    chunks = learned(chunk(), sent)

    (event,) = chunks.chunks(frame(chunk({**DELTA, "content": "Bye"})))

    assert event.encoded() == sent.replace(b"Hello", b"Bye")
    assert "usage" not in event.payload


def test_padding_may_differ() -> None:
    received = chunk(obfuscation="k3Vq9")
    chunks = learned(received, received.replace(b',"usage":null', b""))
    others = [chunk({**DELTA, "content": text}, obfuscation=text * 2) for text in ("a", "b")]

    events = chunks.chunks(frame(*others))

    assert [event.encoded() for event in events] == [each.replace(b',"usage":null', b"") for each in others]
    assert [event.text_bytes for event in events] == [1, 1]


@pytest.mark.parametrize("padding", ['a"', "a\\", "", "a b", "\u00e9"])
def test_odd_padding_is_decoded_as_usual(padding: str) -> None:
    received = chunk(obfuscation="k3Vq9")

    assert texts_in(learned(received), frame(chunk(obfuscation=padding))) is None
    assert texts_in(learned(received), frame(received.replace(b"k3Vq9", padding.encode()))) is None


@pytest.mark.parametrize("key", ["content", "refusal", "reasoning_content", "reasoning"])
def test_each_kind_of_text(key: str) -> None:
    chunks = learned(chunk({"content": "", key: "a"}))

    assert texts_in(chunks, frame(chunk({"content": "", key: "b"}))) == [b"b"]


def test_a_text_that_also_occurs_elsewhere() -> None:
    """Only the text of the delta may be another one."""
    chunks = learned(chunk({"role": "x", "content": "x"}, model="x"))

    assert texts_in(chunks, frame(chunk({"role": "x", "content": "b"}, model="x"))) == [b"b"]
    assert texts_in(chunks, frame(chunk({"role": "x", "content": "b"}, model="b"))) is None


HIDDEN = (
    b'{"choices0":null,"id":"c","\\u0063hoices":[{"index":0,"delta":{"content":"choices0"}}],'
    b'"%b":[{"index":0,"delta":{"content":"choices"}}],"choices0":null}'
)


@pytest.mark.parametrize("key", [b"error", b"usage"])
def test_a_key_is_no_text(key: bytes) -> None:
    """Where a key hides another one, the text may change because the key does."""
    assert texts_in(learned(HIDDEN % b"choices"), frame(HIDDEN % key)) is None


def test_padding_is_no_text() -> None:
    """Where both are the same, each could be taken for the other: a long text would count as padding."""
    data = b'{"id":"content","obfuscation":"%b","choices":[{"index":0,"delta":{"content":"%b"}}]}'

    assert texts_in(learned(data % (b"ab", b"ab")), frame(data % (b"z", b"long"))) is None


def test_a_long_chunk_is_not_learned() -> None:
    """An open stream would retain it."""
    data = chunk(other="x" * MAX_LEARNED_BYTES)

    assert texts_in(learned(data), frame(data)) is None


def test_a_text_whose_place_is_not_clear() -> None:
    data = chunk({"role": "content", "content": "content"})

    assert texts_in(learned(data), frame(data)) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(chunk({**DELTA, "content": ["Hello"]}), id="content of parts"),
        pytest.param(chunk({**DELTA, "content": ""}), id="no text"),
        pytest.param(chunk({**DELTA, "content": "two\nlines"}), id="a text with an escape"),
        pytest.param(chunk({**DELTA, "reasoning": "Hm"}), id="two texts"),
        pytest.param(chunk({**DELTA, "tool_calls": [{"index": 0}]}), id="a call"),
        pytest.param(chunk({**DELTA, "function_call": {}}), id="an empty function"),
        pytest.param(chunk(choice={"finish_reason": "stop"}), id="an end"),
        pytest.param(chunk(choice={"finish_reason": ""}), id="an odd end"),
        pytest.param(chunk(choice={"message": {}}), id="a message"),
        pytest.param(chunk(usage={"total_tokens": 3}), id="usage"),
        pytest.param(chunk(usage={}), id="empty usage"),
        pytest.param(chunk(choices=[]), id="no choices"),
        pytest.param(chunk(choices=None), id="choices that are null"),
        pytest.param(chunk(choices=[{"index": n, "delta": DELTA} for n in (0, 1)]), id="two choices"),
    ],
)
def test_chunks_that_are_not_learned(data: bytes) -> None:
    chunks = learned(data)

    assert texts_in(chunks, frame(data)) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(frame(chunk())[:-1], id="half a blank line"),
        pytest.param(frame(chunk())[1:], id="a beginning cut off"),
        pytest.param(frame(chunk()).replace(b"\n", b"\r\n"), id="CR LF"),
        pytest.param(frame(chunk()).replace(b": {", b":{"), id="no space"),
        pytest.param(b": comment\n\n" + frame(chunk()), id="a comment"),
        pytest.param(frame(chunk(), b"[DONE]"), id="the end"),
        pytest.param(frame(chunk(), chunk({**DELTA, "content": ""})), id="one without text"),
        pytest.param(frame(chunk(), chunk(id="d")), id="one with another id"),
        pytest.param(frame(chunk()).replace(b"Hello", b'a","content":"b'), id="two keys"),
        pytest.param(frame(chunk()).replace(b"Hello", b"a\\"), id="a backslash"),
        pytest.param(frame(chunk()).replace(b"Hello", b"a\nb"), id="a line end"),
        pytest.param(frame(chunk()).replace(b"Hello", b"a\x01b"), id="a control character"),
        pytest.param(frame(chunk()).replace(b"Hello", b"a\xffb"), id="not UTF-8"),
        pytest.param(frame(chunk()).replace(b"Hello", b"\xed\xa0\x80"), id="half a pair"),
        pytest.param(
            frame(*[chunk().replace(b"Hello", half) for half in (b"\xe2\x82", b"\xac")]), id="half characters"
        ),
        pytest.param(frame(chunk()).replace(b"Hello", b"a" * 300_000), id="a very long text"),
    ],
)
def test_reads_that_are_decoded_as_usual(data: bytes) -> None:
    assert texts_in(learned(chunk()), data) is None


def test_streams_whose_chunks_always_differ_are_not_learned_again_and_again() -> None:
    chunks = TextChunks()
    chunks.begins_event = True
    for number in range(MAX_FUTILE + 1):
        data = chunk(created=number)
        assert not chunks.is_useless
        chunks.learn(data, Event(orjson.loads(data), data))

    assert chunks.is_useless
    assert texts_in(chunks, frame(chunk(created=MAX_FUTILE - 1))) == [b"Hello"]
    assert texts_in(chunks, frame(chunk(created=MAX_FUTILE))) is None


def test_a_chunk_that_was_given_another_payload() -> None:
    event = TextChunk(None, chunk())
    event.payload, event.data = {**event.payload, "model": "other"}, None

    assert event.encoded() == chunk(model="other")
    assert TextChunk({"model": "other"}).encoded() == b'{"model":"other"}'


@given(st.lists(st.text() | st.sampled_from(['"', "\\", "\n", "\x7f", "😀", "\u2028", "a b"]), min_size=1))
def test_recognized_texts_are_those_of_the_parser(texts: list[str]) -> None:
    data = frame(*[chunk({**DELTA, "content": text}) for text in texts])

    recognized = texts_in(learned(chunk()), data)

    if recognized is not None:
        events = EventDecoder().decode_events(data)
        contents = [event.payload["choices"][0]["delta"]["content"].encode() for event in events]
        assert recognized == contents == [text.encode() for text in texts]

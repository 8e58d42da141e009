"""
Chunks that differ only in their text are passed on as all others are.

The references are the same reads with the option `include_raw`, for which each chunk is decoded, and the same
stream read byte by byte, where no read is an entire event.
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.accounts.account import Account
from app.config import TimeLimits
from app.errors import GatewayError
from app.relay.attempt import AttemptInputs
from app.relay.model_attempt import ModelAttempt
from app.relay.progress import RequestProgress
from app.relay.timeouts import AttemptDeadlines
from app.streaming.frames import chat_frames
from app.streaming.text_chunks import TextChunk
from app.translation.requests.upstream_request import UpstreamRequest
from tests.support.relay import make_request

BASE: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def line(delta: Any, choice: dict[str, Any] | None = None, **more: Any) -> bytes:
    return orjson.dumps({**BASE, "choices": [{"index": 0, "delta": delta, **(choice or {})}], **more})


def text(content: str, **more: Any) -> bytes:
    return line({"content": content}, {"logprobs": None, "finish_reason": None}, usage=None, **more)


BEGINNINGS = [
    [],
    [b"data: %b\n\n" % text("Hello", obfuscation=padding) for padding in ("ab", "c", "d3")],
    [b"data: %b\n\n" % text("Hello")] * 2,
    [*[b"data: %b\n\n" % text("Hello", id=None, model=model) for model in "mmn"]],
]
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
ODD_LINES = [
    text("padded", obfuscation="k3Vq9"),
    text("padded", obfuscation="two\nlines"),
    text("padded", obfuscation=None),
    text("two\nlines"),
    text('"quoted"'),
    text(""),
    text("a\u2028b"),
    text("\U0001f600"),
    text("early", created=9),
    text("other", id="d", model="n"),
    text("odd", object="chat.completion"),
    text("text", error=None),
    text("text", error={"message": "No", "type": "server_error"}),
    text("blank") + b" ",
    text("a").replace(b'"a"', b'"a","content":"b"'),
    text("half").replace(b"half", b"\\ud83d"),
    text("half").replace(b"half", b"\\ude00"),
    text("raw").replace(b"raw", b"r\x01w"),
    text("raw").replace(b"raw", b"r\xffw"),
    text("raw").replace(b"raw", b"\xe2\x82"),
    text("spaced").replace(b":", b": "),
    line({"role": "assistant", "content": ""}),
    line({"content": None, "reasoning_content": "Hm"}),
    line({"content": "", "reasoning": "Well"}),
    line({"tool_calls": [CALL]}),
    line({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
    line({"function_call": {"name": "f", "arguments": "{}"}}),
    line(["odd"]),
    line({}, {"finish_reason": "stop"}),
    line({}, {"finish_reason": "eos"}),
    line({"content": "end"}, {"finish_reason": "length"}),
    line({"content": "b"}, {"index": 1}),
    line({"content": "ab"}, {"message": {"content": "ab"}}),
    orjson.dumps({**BASE, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}),
    orjson.dumps(
        {**BASE, "choices": [{"index": 0, "delta": {"content": "u"}}], "usage": {"total_tokens": 7}}
    ),
    b"[DONE]",
    b"{}",
    b'"keepalive"',
    b"{broken",
]
FRAMES = [
    *[b"data: %b\n\n" % each for each in ODD_LINES],
    b"data: %b\r\n\r\n" % text("crlf"),
    b"data:%b\n\n" % text("close"),
    b"event: message\ndata: %b\n\n" % text("named"),
    b"event: error\ndata: %b\n\n" % text("failed"),
    b"id: 3\ndata: %b\nretry: 1\n\n" % text("fields"),
    b'data: {"id":"c",\ndata: "choices":[]}\n\n',
    b"data: %b\n" % text("open"),
    b": comment\n\n",
    b": comment",
    b"\r",
    b"\n",
    b"\xef\xbb\xbf",
]
TEXTS = st.text(st.characters(codec="utf-8", max_codepoint=0x2FF), max_size=8)
PLAIN = TEXTS.map(lambda content: b"data: %b\n\n" % text(content))
PADDED = TEXTS.map(lambda content: b"data: %b\n\n" % text(content, obfuscation=content[:2] + "a"))
STREAMS = st.lists(st.one_of(PLAIN, PLAIN, PADDED, st.sampled_from(FRAMES)), max_size=12)
ENDS = [
    b"",
    b"data: [DONE]\n\n",
    b"data: %b\n\ndata: [DONE]\n\n" % line({}, {"finish_reason": "stop"}),
]


class Body:
    def __init__(self, reads: list[bytes]) -> None:
        self._reads = list(reads)

    def read(self, seconds: float) -> bytes:
        return self._reads.pop(0) if self._reads else b""

    def interrupt(self) -> None: ...

    def close(self) -> None: ...

    def finish(self, seconds: float) -> None: ...


def attempt(reads: list[bytes], max_output: int | None = None, **options: Any) -> ModelAttempt:
    response = SimpleNamespace(
        status=200, headers={"Content-Type": "text/event-stream"}, body=Body([read for read in reads if read])
    )
    pending = SimpleNamespace(wait=lambda seconds: response, abandon=lambda: None)
    upstream: Any = SimpleNamespace(post=lambda *sent, **more: pending)
    progress = RequestProgress(0.0, 1e9, 0.0)
    deadlines = AttemptDeadlines(TimeLimits(), reasons=False, progress=progress, clock=lambda: 0.0)
    account = Account("a", "a", "compatible", "http://127.0.0.1:1/v1")
    inputs = AttemptInputs(make_request(**options), account, deadlines, upstream, max_output=max_output)
    return ModelAttempt(inputs, UpstreamRequest("chat", {"model": "m"}, []))


def outcome(one: ModelAttempt) -> dict[str, Any]:
    """Return everything that a client, a limit or the ledger learns of an attempt."""
    sent, error = [], None
    try:
        for batch in one.events():
            sent += batch or []
    except GatewayError as failure:
        error = (type(failure), failure.message)
    reader = one.reader
    return {
        "sent": chat_frames(sent),
        "payloads": [event.payload for event in sent],
        "error": error,
        "usage": reader.usage,
        "reported": reader.reported_usage,
        "unknown": reader.unknown_usage,
        "finish": reader.finish,
        "model": (reader.response_id, reader.model, reader.service_tier),
        "output": (reader.deltas, reader.output_bytes, reader.has_calls),
        "cut": one.was_cut,
        "committed": one.committed,
    }


def reads_of(stream: list[bytes], cuts: list[int]) -> list[bytes]:
    """Return the bytes of *stream*, cut at places that *cuts* choose; an event a read where it has none."""
    if not cuts:
        return stream
    data = b"".join(stream)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@settings(max_examples=150, deadline=None)
@given(
    STREAMS,
    st.sampled_from(ENDS),
    st.just([]) | st.lists(st.integers(0, 5000), max_size=6),
    st.none() | st.integers(1, 3),
    st.booleans(),
    st.sampled_from(BEGINNINGS),
)
@example([b"data: %b\n\n" % text(each) for each in ("a", "b", "c", "d")], ENDS[2], [], None, False, [])
@example([b"data: %b\n" % text("a"), b"data: %b\n\n" % text("b")], ENDS[2], [], None, False, BEGINNINGS[2])
@example(
    [b"data: %b\n\n" % text("b" * 99, obfuscation="\n"), b"data: %b\n\n" % text("b" * 999)],
    b"",
    [],
    9,
    False,
    BEGINNINGS[2],
)
@example([b"data: %b\n\n" % text("b", id=None)], ENDS[1], [], None, False, BEGINNINGS[3])
def test_chunks_in_reads_of_their_own_are_passed_on_as_all_others(
    stream: list[bytes],
    end: bytes,
    cuts: list[int],
    max_output: int | None,
    usage: bool,
    beginning: list[bytes],
) -> None:
    stream = [*beginning, *stream, end]
    options: dict[str, Any] = {"include_usage": usage}
    by_byte = [bytes([byte]) for byte in b"".join(stream)]

    passed = outcome(attempt(reads_of(stream, cuts), max_output, **options))

    assert passed == outcome(attempt(reads_of(stream, cuts), max_output, include_raw=True, **options))
    if max_output is None:  # a cut comes at the end of a read
        assert passed == outcome(attempt(by_byte, max_output, **options))


@pytest.mark.parametrize("options", [{}, {"include_usage": True}])
def test_such_chunks_are_not_parsed(options: dict[str, Any]) -> None:
    stream = [b"data: %b\n\n" % text(each) for each in ("a", "b", "c", "d")]
    one = attempt([*stream, ENDS[2]], **options)

    batches = [batch for batch in one.events() if batch]

    assert [type(event) is TextChunk for event in batches[2] + batches[3]] == [True, True]
    assert one.reader.deltas == one.reader.output_bytes == 4


@pytest.mark.parametrize("options", [{"include_raw": True}, {"stream": False}])
def test_all_chunks_are_parsed_where_they_are_needed(options: dict[str, Any]) -> None:
    stream = [b"data: %b\n\n" % text(each) for each in ("a", "b", "c", "d")]

    batches = list(attempt([*stream, ENDS[2]], **options).events())

    assert not any(type(event) is TextChunk for batch in batches for event in batch or ())

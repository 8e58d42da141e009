"""Attempts at model endpoints: how their streams are read, and how they end."""

from __future__ import annotations

import gc
from collections import deque
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from app.accounts.account import Account
from app.config import TimeLimits
from app.errors import StreamIncomplete, UpstreamError, UpstreamProtocolError
from app.relay.attempt import AttemptInputs
from app.relay.model_attempt import ModelAttempt
from app.relay.progress import RequestProgress
from app.relay.timeouts import AttemptDeadlines
from app.streaming.events import Event
from app.translation.requests.upstream_request import UpstreamRequest
from tests.support.relay import make_request

IDENTITY: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
ROLE = {**IDENTITY, "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
TEXT = {**IDENTITY, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]}
STOP = {**IDENTITY, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


class Body:
    """Each piece is one read."""

    def __init__(self, *pieces: Any) -> None:
        self._pieces = [frame(piece) for piece in pieces]

    def read(self, seconds: float) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def interrupt(self) -> None: ...

    def close(self) -> None: ...

    def finish(self, seconds: float) -> None: ...


def frame(payload: Any) -> bytes:
    if payload == b"<html>":
        return payload
    return b"data: %b\n\n" % (payload if isinstance(payload, bytes) else orjson.dumps(payload))


def attempt(*pieces: Any, content_type: str = "text/event-stream", **options: Any) -> ModelAttempt:
    response = SimpleNamespace(status=200, headers={"Content-Type": content_type}, body=Body(*pieces))
    pending = SimpleNamespace(wait=lambda seconds: response, abandon=lambda: None)
    upstream: Any = SimpleNamespace(post=lambda *sent, **more: pending)
    progress = RequestProgress(0.0, 1e9, 0.0)
    deadlines = AttemptDeadlines(TimeLimits(), reasons=False, progress=progress, clock=lambda: 0.0)
    account = Account("a", "a", "openai", "http://127.0.0.1:1/v1")
    inputs = AttemptInputs(make_request(**options), account, deadlines, upstream)
    return ModelAttempt(inputs, UpstreamRequest("chat", {"model": "m"}, []))


def test_opening_events_are_held_until_something_is_visible() -> None:
    """Until then another account may answer."""
    one = attempt(ROLE, TEXT, STOP, b"[DONE]")
    batches = one.events()

    first = next(batches)
    assert first is not None
    assert [event.payload for event in first] == [ROLE, TEXT]
    assert one.committed
    assert sum(len(batch or ()) for batch in batches) == 1


def test_no_event_is_retained_that_was_delivered() -> None:
    """A thousand open streams, each waiting for its next event, would retain as many last ones."""
    text = "delivered and released"  # in no other event of this process
    delta = {**IDENTITY, "choices": [{"index": 0, "delta": {"content": text}}]}
    one = attempt(*[delta] * 5, STOP, b"[DONE]")  # the later ones are passed on without being parsed
    retained: list[int] = []

    def seconds() -> float:
        events = [each for each in gc.get_objects() if isinstance(each, Event)]
        retained.append(sum(text in str(event.payload) for event in events))
        return 1.0

    one._deadlines.seconds = seconds  # type: ignore[method-assign]
    deque(one.events(), maxlen=0)  # a loop would retain one itself

    assert len(retained) >= 6
    assert not any(retained)


def test_a_response_that_is_not_streamed_is_held_until_its_end() -> None:
    assert len(list(attempt(ROLE, TEXT, STOP, b"[DONE]", stream=False).events())) == 1


def test_a_stream_that_breaks_off() -> None:
    one = attempt(ROLE, TEXT)

    with pytest.raises(StreamIncomplete):
        list(one.events())
    assert one.committed


def test_an_end_without_a_finish_reason() -> None:
    with pytest.raises(StreamIncomplete):
        list(attempt(TEXT, b"[DONE]").events())


def test_a_complete_response_whose_formal_end_is_missing() -> None:
    assert list(attempt(TEXT, STOP).events())


def test_an_error_event() -> None:
    with pytest.raises(UpstreamError):
        list(attempt({"error": {"message": "No", "type": "server_error"}}).events())


def test_a_response_that_is_not_a_stream() -> None:
    with pytest.raises(UpstreamProtocolError, match="text/html"):
        list(attempt(b"<html>", content_type="text/html").events())


def test_a_stream_with_another_label() -> None:
    events = [
        event for batch in attempt(TEXT, STOP, content_type="text/plain").events() for event in batch or ()
    ]

    assert events[0].payload == TEXT


def test_raw_events_are_those_of_the_upstream() -> None:
    odd = {"id": "c", "choices": [{"index": 0, "delta": {"content": ["Hi"]}, "finish_reason": ""}]}
    one = attempt(odd, STOP, b"[DONE]", include_raw=True)
    events = [event for batch in one.events() for event in batch or ()]

    delta = {"role": "assistant", "content": "Hi"}
    assert events[0].payload["choices"][0] == {"index": 0, "delta": delta, "finish_reason": None}
    assert one.raw_events[0] == odd


def test_raw_events_where_the_client_receives_them() -> None:
    one = attempt(TEXT, STOP, b"[DONE]", include_raw=True)
    list(one.events())

    assert one.raw_events == [TEXT, STOP]


def test_a_cut_ends_every_choice_that_is_open() -> None:
    """One that has its finish reason does not get another."""

    def choice(index: int, text: str, reason: str | None = None) -> dict[str, Any]:
        return {"index": index, "delta": {"content": text}, "finish_reason": reason}

    pieces = [choice(0, "a"), choice(1, "b"), choice(0, "c", "stop"), choice(2, "d"), choice(2, "x" * 1000)]
    one = attempt(*({**IDENTITY, "choices": [piece]} for piece in pieces), body={"model": "m", "n": 3})
    capped = ModelAttempt(replace(one.inputs, max_output=1), UpstreamRequest("chat", {"n": 3}, []))

    payloads = [event.payload for batch in capped.events() for event in batch or ()]
    ends = [one["choices"][0] for one in payloads if one["choices"][0].get("finish_reason")]
    assert [(end["index"], end["finish_reason"]) for end in ends] == [
        (0, "stop"),
        (1, "length"),
        (2, "length"),
    ]


def test_ends_where_a_strict_limit_is_exceeded() -> None:
    one = attempt({**TEXT, "choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}, STOP)
    capped = ModelAttempt(replace(one.inputs, max_output=1), one.request)

    list(capped.events())
    assert capped.was_cut
    assert capped.exceeds(1)

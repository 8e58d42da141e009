"""Responses that are forwarded as received."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.accounts.account import Account
from app.config import TimeLimits
from app.errors import StreamIncomplete, UpstreamProtocolError
from app.relay.attempt import AttemptInputs
from app.relay.passthrough import PassthroughAttempt, PassthroughReader, completed_response_event
from app.relay.progress import RequestProgress
from app.relay.timeouts import AttemptDeadlines
from app.upstream.client import RequestContent
from tests.support.relay import make_request

JSON = "application/json"
EVENTS = "text/event-stream"


class Body:
    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self._pieces = list(pieces)

    def read(self, seconds: float) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def interrupt(self) -> None: ...

    def close(self) -> None: ...

    def finish(self, seconds: float) -> None: ...


class Upstream:
    def __init__(self, content_type: str, pieces: tuple[bytes, ...], status: int) -> None:
        headers = {"Content-Type": content_type}
        self._response = SimpleNamespace(status=status, headers=headers, body=Body(pieces))
        self.sent: tuple[Any, ...] = ()

    def post(self, account: Any, wire: str, content: RequestContent, **options: Any) -> Any:
        self.sent = (account, wire, content.body, content.content_type)
        return SimpleNamespace(wait=lambda seconds: self._response, abandon=lambda: None)


def attempt_at(upstream: Any, *transform: Any) -> PassthroughAttempt:
    context = make_request(client_protocol="embeddings", raw_body=(b'{"model":"m"}',))
    progress = RequestProgress(0.0, 1e9, 0.0)
    deadlines = AttemptDeadlines(TimeLimits(), reasons=False, progress=progress, clock=lambda: 0.0)
    account = Account("a", "a", "openai", "http://127.0.0.1:1/v1")
    return PassthroughAttempt(AttemptInputs(context, account, deadlines, upstream), *transform)


def attempt(content_type: str, *pieces: bytes, status: int = 200) -> PassthroughAttempt:
    return attempt_at(Upstream(content_type, pieces, status))


def test_the_body_is_sent_as_received() -> None:
    upstream = Upstream(JSON, (b"{}",), 200)
    list(attempt_at(upstream).events())

    assert upstream.sent[1:] == ("embeddings", (b'{"model":"m"}',), JSON)


class TestJson:
    def test_is_held_until_it_is_complete(self) -> None:
        """Until then another account may answer."""
        one = attempt(JSON, b'{"usage": {"prompt_tokens": 3,', b' "total_tokens": 3}}')

        assert list(one.events()) == [[b'{"usage": {"prompt_tokens": 3, "total_tokens": 3}}']]
        assert not one.committed
        assert one.reader.reported_usage is not None
        assert one.reader.reported_usage.input_tokens == 3

    def test_invalid(self) -> None:
        with pytest.raises(UpstreamProtocolError):
            list(attempt(JSON, b"{").events())

    def test_a_page_is_a_failure(self) -> None:
        with pytest.raises(UpstreamProtocolError, match="page"):
            list(attempt("text/html", b"<html>").events())

    def test_no_content(self) -> None:
        assert list(attempt(JSON, status=204).events()) == []

    def test_a_compaction_becomes_an_event(self) -> None:
        (batch,) = attempt_at(Upstream(JSON, (b'{"id": "c"}',), 200), completed_response_event).events()

        assert batch is not None
        assert batch[0].payload == {"type": "response.completed", "response": {"id": "c"}}


class TestEvents:
    def test_are_forwarded_as_they_arrive(self) -> None:
        one = attempt(EVENTS, b'data: {"text": "Hi"}\n\n', b"data: [DONE]\n\n", b"more")

        assert list(one.events()) == [[b'data: {"text": "Hi"}\n\n'], [b"data: [DONE]\n\n"]]
        assert one.committed
        assert (one.reader.can_end(), one.reader.output_bytes) == (True, 2)

    def test_an_end_without_a_final_event_is_a_failure(self) -> None:
        with pytest.raises(StreamIncomplete):
            list(attempt(EVENTS, b'data: {"type": "audio.delta"}\n\n').events())

    def test_a_final_event_of_another_name(self) -> None:
        assert len(list(attempt(EVENTS, b'data: {"type": "speech.audio.done"}\n\n').events())) == 1


def test_other_content_is_forwarded_in_pieces() -> None:
    one = attempt("audio/mpeg", b"ab", b"cd")

    assert list(one.events()) == [[b"ab"], [b"cd"]]
    assert one.committed


@pytest.mark.parametrize(
    ("payload", "usage"),
    [
        ({"data": [], "usage": {"prompt_tokens": 4}}, (4, 0)),
        ({"data": [], "usage": {"prompt_tokens": 4, "total_tokens": 4}}, (4, 0)),
        ({"data": [], "usage": {"input_tokens": 4, "output_tokens": 50, "total_tokens": 54}}, (4, 50)),
        ({"choices": [{"text": "Hi"}], "usage": {"prompt_tokens": 4}}, None),
        ({"text": "Hi", "usage": {"type": "duration", "seconds": 3}}, None),
    ],
)
def test_usage(payload: Any, usage: tuple[int, int] | None) -> None:
    reader = PassthroughReader()
    reader.observe(payload)
    reader.is_complete = True

    reported = reader.reported_usage
    assert (reported and (reported.input_tokens, reported.output_tokens)) == usage

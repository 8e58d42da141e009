"""Images by a model that calls the image tool, one request for each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from app.accounts.account import Account
from app.accounts.kinds.chatgpt import KIND
from app.config import TimeLimits
from app.errors import UpstreamError
from app.relay.attempt import AttemptInputs
from app.relay.images_attempt import IMAGE_TOKENS, ImagesAttempt
from app.relay.progress import RequestProgress
from app.relay.timeouts import AttemptDeadlines
from app.upstream.client import RequestContent
from app.upstream.responses import essence_of
from tests.support.relay import make_request
from tests.support.upstream_images import IMAGE, image_events

HEADERS = {"Content-Type": "text/event-stream", "x-codex-primary-used-percent": "7"}


class Body:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.closed = False

    def read(self, seconds: float) -> bytes:
        data, self._data = self._data, b""
        return data

    def interrupt(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def finish(self, seconds: float) -> None: ...


class Upstream:
    """Plays one response for each request."""

    def __init__(self, *plays: dict[str, Any]) -> None:
        self._plays = list(plays)
        self.sent: list[dict[str, Any]] = []

    def post(self, account: Any, protocol: str, content: RequestContent, **options: Any) -> Any:
        assert protocol == "responses"
        self.sent.append(orjson.loads(b"".join(content.body)))
        events = image_events(self._plays.pop(0), self.sent[-1])
        body = b"".join(b"data: %b\n\n" % orjson.dumps(event) for event in events)
        response = SimpleNamespace(status=200, headers=HEADERS, body=Body(body))
        return SimpleNamespace(wait=lambda seconds: response, abandon=lambda: None)


def pieces(attempt: ImagesAttempt) -> list[bytes]:
    """Return what the caller receives."""
    return [piece for batch in attempt.events() for piece in batch or ()]


def attempt_at(upstream: Any, **fields: Any) -> ImagesAttempt:
    body = {"model": "gpt-image-2", "prompt": "A cat", **fields}
    context = make_request(
        client_protocol="images/generations", model="gpt-image-2", body=body, raw_body=(b"",), stream=False
    )
    deadlines = AttemptDeadlines(
        TimeLimits(), reasons=False, progress=RequestProgress(0.0, 1e9, 0.0), clock=lambda: 0.0
    )
    account = Account(
        "a", "a", "chatgpt", "http://127.0.0.1:1", protocols=("responses",), listed=("gpt-5.5",)
    )
    assert KIND.image_tool is not None
    return ImagesAttempt(AttemptInputs(context, account, deadlines, upstream), KIND.image_tool)


def test_one_object() -> None:
    """The caller receives it only when it is complete: until then another account may answer."""
    upstream = Upstream({})
    attempt = attempt_at(upstream)

    (data,) = pieces(attempt)

    assert orjson.loads(data)["data"][0]["b64_json"] == IMAGE
    assert not attempt.committed
    assert essence_of(attempt.response.headers) == "application/json"
    assert attempt.response.headers["x-codex-primary-used-percent"] == "7"
    assert upstream.sent[0]["model"] == "gpt-5.5"
    assert attempt.context.request.client_protocol == "images/generations"


def test_events_of_a_stream() -> None:
    attempt = attempt_at(Upstream({"partials": ["cA=="]}), stream=True, partial_images=1)
    batches = attempt.events()

    (partial,) = next(batches) or ()
    assert attempt.committed
    assert essence_of(attempt.response.headers) == "text/event-stream"
    assert partial.startswith(b"event: image_generation.partial_image\ndata: {")
    (completed,) = [piece for batch in batches for piece in batch or ()]
    assert completed.startswith(b"event: image_generation.completed\n")


def test_partial_images_are_not_part_of_an_object() -> None:
    assert len(list(attempt_at(Upstream({"partials": ["cA=="]})).events())) == 1


class TestUsage:
    def test_of_several_requests(self) -> None:
        attempt = attempt_at(Upstream({}, {}), n=2)
        list(attempt.events())

        assert attempt.reader.reported_usage is not None
        assert attempt.reader.reported_usage.output_tokens == 2 * (40 + 1056)
        assert attempt.reader.reported_usage.image_output_tokens == 2 * 1056
        assert attempt.reader.can_end()

    @pytest.mark.parametrize("tool_usage", [None, {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}])
    def test_an_image_without_tokens_is_not_a_report(self, tool_usage: Any) -> None:
        """Some backends report zero tokens for a tool that was called."""
        attempt = attempt_at(Upstream({}, {"tool_usage": tool_usage}), n=2)
        list(attempt.events())

        assert attempt.reader.reported_usage is None
        assert attempt.reader.usage is not None
        assert attempt.reader.usage.output_tokens == 40 + 1056 + 40
        assert attempt.reader.output_bytes >= 2 * 4 * IMAGE_TOKENS

    def test_without_that_of_the_model(self) -> None:
        attempt = attempt_at(Upstream({"usage": None}))
        list(attempt.events())

        assert attempt.reader.reported_usage is None

    def test_of_a_request_that_failed(self) -> None:
        """There was no image that the tool could have reported."""
        attempt = attempt_at(Upstream({"item": None, "text": "No.", "tool_usage": None}))
        with pytest.raises(UpstreamError):
            list(attempt.events())

        assert attempt.reader.reported_usage is not None
        assert attempt.reader.reported_usage.output_tokens == 40
        assert not attempt.reader.can_end()

    def test_before_anything_was_sent(self) -> None:
        reader = attempt_at(Upstream()).reader

        assert (reader.usage, reader.reported_usage, reader.output_bytes) == (None, None, 0)


def test_no_more_images_than_requested() -> None:
    second = {"type": "image_generation_call", "id": "ig_2", "result": "c2Vjb25k"}
    first = {**second, "id": "ig_1", "result": "Zmlyc3Q="}
    play = {"item": None, "response": {"output": [first, second]}}

    (one,) = pieces(attempt_at(Upstream(play)))
    upstream = Upstream(play)
    (both,) = pieces(attempt_at(upstream, n=2))

    assert [image["b64_json"] for image in orjson.loads(one)["data"]] == ["Zmlyc3Q="]
    assert len(orjson.loads(both)["data"]) == 2
    assert len(upstream.sent) == 1


def test_fields_that_the_account_was_not_sent() -> None:
    assert attempt_at(Upstream(), style="vivid", user="u").request.ignored == ["style", "user"]

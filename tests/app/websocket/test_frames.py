"""Messages of clients as requests, and errors as messages."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.errors import GatewayError, InvalidRequest, LaneUnusable, QuotaExceeded
from app.websocket.frames import body_of, create_of, error_frame, lane_of, with_lane


def body(message: dict[str, Any], earlier: tuple[bytes, ...] = ()) -> Any:
    return orjson.loads(body_of(create_of(message, 100), earlier)[0])


def test_what_only_a_connection_knows_is_not_in_the_body() -> None:
    message = {
        "type": "response.create",
        "stream_id": "x",
        "generate": True,
        "stream": False,
        "background": False,
        "previous_response_id": "resp_1",
        "model": "m",
        "input": [{"role": "user", "content": "Hello"}],
    }

    assert body(message) == {"model": "m", "input": message["input"], "stream": True}


@pytest.mark.parametrize("given", ["Hello", [{"role": "user", "content": "Hello"}], []])
def test_earlier_items_come_first(given: Any) -> None:
    items = body({"model": "m", "input": given}, (b'{"a":1},{"b":2}', b'{"c":3}'))["input"]

    assert items[:3] == [{"a": 1}, {"b": 2}, {"c": 3}]
    assert [item["content"] for item in items[3:]] == ["Hello"] * bool(given)


def test_text_that_nothing_precedes_is_sent_as_it_is() -> None:
    """Limits then count it as they do for HTTP requests."""
    create = create_of({"model": "m", "input": "Hello"}, 100)

    sent, items = body_of(create)
    assert orjson.loads(sent)["input"] == "Hello"
    assert items == (b'{"type":"message","role":"user","content":"Hello"}',)


@pytest.mark.parametrize("given", [{"input": 1}, {"messages": [{"role": "user", "content": "Hello"}]}, {}])
def test_what_cannot_follow_a_response(given: dict[str, Any]) -> None:
    """Without a previous response it is validated as over HTTP, and nothing can continue it."""
    assert body({"model": "m", **given}) == {"model": "m", "stream": True, **given}
    assert body_of(create_of({"model": "m", **given}, 100))[1] is None
    if given:
        with pytest.raises(InvalidRequest):
            create_of({"model": "m", "previous_response_id": "resp_1", **given}, 100)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("background", True), ("generate", 0), ("generate", "no")),
        *(("previous_response_id", 1), ("previous_response_id", ""), ("previous_response_id", "x" * 257)),
    ],
)
def test_invalid_fields(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        create_of({"model": "m", field: value}, 100)
    assert refused.value.param == field


def test_headers_of_a_request() -> None:
    """Only Codex's own headers are used: a message must not set those that identify the client."""
    metadata = {
        "x-codex-turn-metadata": "{}",
        "x-codex-turn-state": "bad\nvalue",
        "ws_request_header_x_codex_beta_features": "a",
        "ws_request_header_authorization": "Bearer sk-pg-other",
        "ws_request_header_x_forwarded_for": "1.2.3.4",
        "ws_request_header_x_codex_long": "x" * 20_000,
        "ws_request_header_x_codex_number": 1,
        "session_id": "s",
    }

    create = create_of({"model": "m", "client_metadata": metadata}, 100)

    assert create.headers == {"x-codex-turn-metadata": "{}", "x-codex-beta-features": "a"}
    assert orjson.loads(create.fields)["client_metadata"] == metadata


def test_lanes() -> None:
    assert lane_of({}) == ""
    assert lane_of({"stream_id": "a.B-_9"}) == "a.B-_9"
    for name in ("", "a b", "x\n", "é", "x" * 257, 1, None, []):
        with pytest.raises(LaneUnusable):
            lane_of({"stream_id": name})


def test_an_event_of_a_lane() -> None:
    assert with_lane(b'{"a":1} ', "") == b'{"a":1} '
    assert orjson.loads(with_lane(b'{"a":1} ', "x")) == {"a": 1, "stream_id": "x"}


def test_an_error_that_waiting_helps() -> None:
    message = orjson.loads(error_frame(QuotaExceeded("Too many", retry_after_seconds=1.6), "x"))

    assert message == {
        "type": "error",
        "status": 429,
        "stream_id": "x",
        "headers": {"retry-after": "2"},
        "error": {
            "type": "rate_limit_error",
            "code": "rate_limit_exceeded",
            "message": "Too many",
            "param": None,
            "headers": {"retry-after": "2"},
        },
    }


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (QuotaExceeded("Used up", retry_after_seconds=3600), {"x-should-retry": "false"}),
        (InvalidRequest("Wrong"), None),
    ],
)
def test_an_error_that_waiting_does_not_help(error: GatewayError, headers: dict[str, str] | None) -> None:
    """That of a wrong message is OpenAI's, without headers."""
    assert orjson.loads(error_frame(error)).get("headers") == headers

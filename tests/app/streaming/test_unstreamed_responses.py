"""Responses that are one object: passed on as they are, completed where a server leaves fields out."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.errors import UpstreamProtocolError
from app.streaming.chat_protocol import ChatReader
from app.streaming.responses_protocol import ResponsesReader
from app.streaming.unstreamed_responses import unstreamed_completion, unstreamed_response

MESSAGE: dict[str, Any] = {"role": "assistant", "content": "Hi", "refusal": None, "annotations": []}
CHOICE: dict[str, Any] = {"index": 0, "message": MESSAGE, "logprobs": None, "finish_reason": "stop"}
COMPLETION: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [CHOICE],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    "service_tier": "flex",
    "system_fingerprint": None,
    "vendor": {"a": [1.0, None]},
}
CALL: dict[str, Any] = {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESPONSE: dict[str, Any] = {
    "id": "r",
    "object": "response",
    "status": "completed",
    "output": [{"type": "function_call", "call_id": "x", "name": "f", "arguments": "{}"}],
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    "vendor": 1,
}


def identity() -> dict[str, Any]:
    return {"id": "chatcmpl-made", "created": 7, "model": "requested"}


def changed_choice(message: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**COMPLETION, "choices": [{**CHOICE, **changes, "message": message}]}


def completion(payload: Any) -> tuple[Any, ChatReader]:
    """Return (what the client receives for *payload*, the reader)."""
    reader = ChatReader()
    event = unstreamed_completion(
        orjson.loads(orjson.dumps(payload)), orjson.dumps(payload), reader, identity
    )
    return orjson.loads(event.encoded()), reader


def test_the_bytes_of_a_completion_are_unchanged() -> None:
    data = orjson.dumps(COMPLETION, option=orjson.OPT_INDENT_2)
    reader = ChatReader()

    assert unstreamed_completion(orjson.loads(data), data, reader, identity).encoded() == data
    assert (reader.finish, reader.output_bytes, reader.service_tier) == ("stop", 2, "flex")
    assert reader.reported_usage is not None
    assert reader.reported_usage.output_tokens == 2


@pytest.mark.parametrize("lacked", [{"id": ""}, {"created": None}, {"model": ""}, {"created": 0, "id": None}])
def test_a_completion_without_identity(lacked: dict[str, Any]) -> None:
    received, _ = completion({**COMPLETION, **lacked})

    assert received == {**COMPLETION, **{key: identity()[key] for key in lacked}}


def test_calls_keep_their_form() -> None:
    message = {**MESSAGE, "content": None, "tool_calls": [CALL, {**CALL, "id": "y"}]}
    payload = changed_choice(message, finish_reason="tool_calls")
    received, reader = completion(payload)

    assert received == payload
    assert reader.has_calls


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": "Hi"}, {"role": "assistant", "content": "Hi", "refusal": None}),
        ({**MESSAGE, "tool_calls": []}, MESSAGE),
        (
            {"tool_calls": [CALL]},
            {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None},
        ),
        ({}, {"role": "assistant", "content": "", "refusal": None}),
    ],
)
def test_fields_that_every_message_has(message: dict[str, Any], expected: dict[str, Any]) -> None:
    received, _ = completion(changed_choice(message))

    assert received["choices"][0]["message"] == expected


def test_stop_after_calls_as_in_streams() -> None:
    body, reader = completion(changed_choice({**MESSAGE, "content": None, "tool_calls": [CALL]}))

    assert body["choices"][0]["finish_reason"] == reader.finish == "tool_calls"


def test_a_call_that_was_cut() -> None:
    cut = {**CALL, "function": {"name": "f", "arguments": '{"a":'}}
    body, reader = completion(changed_choice({**MESSAGE, "content": None, "tool_calls": [cut]}))
    choice = body["choices"][0]

    assert choice["finish_reason"] == reader.finish == "length"
    assert choice["native_finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"] == [cut]


def test_choices_with_one_index_are_numbered() -> None:
    body, reader = completion({**COMPLETION, "choices": [CHOICE, CHOICE]})

    assert [each["index"] for each in body["choices"]] == [0, 1]
    assert [each["finish_reason"] for each in body["choices"]] == ["stop", "stop"]
    assert reader.can_end()


def test_an_error_in_place_of_a_completion() -> None:
    _, reader = completion({"error": {"message": "Too many", "code": "rate_limit_exceeded"}})

    assert reader.error is not None
    assert (reader.error.message, reader.error.status) == ("Too many", 429)


@pytest.mark.parametrize("payload", [7, [], {}, {"choices": []}, {"choices": [None]}, {"choices": [{}]}])
def test_objects_that_are_no_completion(payload: Any) -> None:
    with pytest.raises(UpstreamProtocolError):
        completion(payload)


def test_a_completion_without_a_finish_reason_has_no_end() -> None:
    _, reader = completion(changed_choice(MESSAGE, finish_reason=None))

    assert reader.finish is None


@pytest.mark.parametrize(("status", "finish"), [("completed", "completed"), ("incomplete", "incomplete")])
def test_a_response(status: str, finish: str) -> None:
    reader = ResponsesReader()
    payload = {**RESPONSE, "status": status, "error": None}
    data = orjson.dumps(payload, option=orjson.OPT_INDENT_2)

    event = unstreamed_response(orjson.loads(data), data, reader, identity)

    assert event.encoded() == data
    assert event.payload == payload
    assert (reader.finish, reader.has_calls, reader.output_bytes) == (finish, True, 2)
    assert reader.reported_usage is not None


@pytest.mark.parametrize("lacked", ["object", "usage", "error"])
def test_fields_that_every_response_has(lacked: str) -> None:
    payload = {**RESPONSE, "error": None}
    del payload[lacked]

    event = unstreamed_response(payload, b"{}", ResponsesReader(), identity)

    expected = {"object": "response", "usage": None, "error": None}[lacked]
    assert orjson.loads(event.encoded()) == {**RESPONSE, "error": None, lacked: expected}


def test_an_output_that_is_null() -> None:
    """It is empty where the response was completed, and no response otherwise."""
    reader = ResponsesReader()
    event = unstreamed_response({**RESPONSE, "output": None}, b"{}", reader, identity)

    assert orjson.loads(event.encoded()) == {**RESPONSE, "output": [], "error": None}
    assert reader.finish == "completed"
    for other in ({"output": None, "status": "incomplete"}, {"output": {}}, {"output": "text"}):
        with pytest.raises(UpstreamProtocolError):
            unstreamed_response({**RESPONSE, **other}, None, ResponsesReader(), identity)


@pytest.mark.parametrize(
    "payload",
    [
        {"error": {"message": "No", "code": "server_error"}},
        {**RESPONSE, "status": "failed", "error": {"message": "No", "code": "server_error"}},
        {**RESPONSE, "error": {"message": "No", "code": "server_error"}},
    ],
)
def test_an_error_in_place_of_a_response(payload: dict[str, Any]) -> None:
    reader = ResponsesReader()
    unstreamed_response(payload, None, reader, identity)

    assert reader.error is not None
    assert reader.error.message == "No"


@pytest.mark.parametrize("status", ["queued", "in_progress", 7, []])
def test_a_response_that_is_not_finished(status: Any) -> None:
    with pytest.raises(UpstreamProtocolError):
        unstreamed_response({**RESPONSE, "status": status}, None, ResponsesReader(), identity)

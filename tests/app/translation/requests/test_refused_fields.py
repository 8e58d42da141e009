"""Which fields a server's error names, and the request that is sent again without them."""

from __future__ import annotations

from typing import Any

import pytest

from app.translation.requests.refused_fields import (
    DEVELOPER,
    STREAMED,
    UNSTREAMED,
    FieldRefusal,
    may_lack,
    refused_fields,
    without_refused,
)
from app.translation.requests.upstream_request import UpstreamRequest

SENT: dict[str, Any] = {
    "model": "m",
    "messages": [],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_completion_tokens": 20,
    "prompt_cache_key": "k",
    "store": False,
    "reasoning_effort": "high",
    "parallel_tool_calls": True,
    "temperature": 0.5,
}


@pytest.mark.parametrize(
    ("message", "code", "param", "expected"),
    [
        (
            "Unsupported parameter: 'max_completion_tokens' is not supported with this model.",
            "unsupported_parameter",
            "max_completion_tokens",
            ["max_completion_tokens"],
        ),
        ("property 'prompt_cache_key' is unsupported", None, None, ["prompt_cache_key"]),
        ("property 'store' is unsupported, did you mean 'stop'?", None, None, ["store"]),
        (
            "Validation error at #/stream_options: Extra inputs are not permitted",
            None,
            None,
            ["stream_options"],
        ),
        ("Extra inputs are not permitted, field: 'store', value: False", None, None, ["store"]),
        (
            "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), "
            "'msg': 'Extra inputs are not permitted', 'input': 800}]",
            "400",
            None,
            ["max_completion_tokens"],
        ),
        (
            "Extra inputs are not permitted: store; Extra inputs are not permitted: prompt_cache_key",
            None,
            None,
            ["prompt_cache_key", "store"],
        ),
        (
            'Invalid JSON payload received. Unknown name "prompt_cache_key": Cannot find field.',
            "400",
            None,
            ["prompt_cache_key"],
        ),
        ("Argument not supported on this model: reasoning_effort", None, None, ["reasoning_effort"]),
        ("max_completion_tokens is too large", None, "max_completion_tokens", []),
        (
            "Unsupported value: 'reasoning_effort' does not support 'high'",
            "unsupported_value",
            "reasoning_effort",
            [],
        ),
        ("Unsupported parameter: 'temperature'", "unsupported_parameter", "temperature", []),
        ("Unsupported parameter: 'seed'", "unsupported_parameter", "seed", []),
    ],
)
def test_fields_that_an_error_names(
    message: str, code: str | None, param: str | None, expected: list[str]
) -> None:
    assert refused_fields(FieldRefusal(400, message, code, param), SENT) == expected
    assert refused_fields(FieldRefusal(500, message, code, param), SENT) == []


@pytest.mark.parametrize(
    "message",
    [
        "parameter.enable_thinking must be set to false for non-streaming calls",
        "enable thinking can not be support when `stream=False`.",
        "This model only support stream mode, please enable the stream parameter to access the model.",
        "Stream must be set to true",
    ],
)
def test_servers_that_must_stream(message: str) -> None:
    refusal = FieldRefusal(400, message, None, None)

    assert refused_fields(refusal, SENT | {"stream": False}) == [UNSTREAMED]
    assert refused_fields(refusal, SENT) == []


def test_a_length_gets_its_other_name() -> None:
    request = UpstreamRequest("chat", {"max_completion_tokens": 20}, [])

    changed = without_refused(request, ["max_completion_tokens"], "chat", {"max_completion_tokens": 20})

    assert changed == UpstreamRequest("chat", {"max_tokens": 20}, [])


@pytest.mark.parametrize(
    ("field", "value", "client", "ignored"),
    [
        ("stream_options", {"include_usage": True}, {}, []),
        ("stream_options", {"include_usage": True}, {"stream_options": {}}, ["stream_options"]),
        ("prompt_cache_key", "k", {"prompt_cache_key": "k"}, ["prompt_cache_key"]),
        ("store", False, {}, []),
        ("parallel_tool_calls", True, {"parallel_tool_calls": True}, ["parallel_tool_calls"]),
    ],
)
def test_fields_that_do_not_change_the_response_are_left_out(
    field: str, value: Any, client: dict[str, Any], ignored: list[str]
) -> None:
    request = UpstreamRequest("chat", {"model": "m", field: value}, [])

    assert without_refused(request, [field], "chat", client) == UpstreamRequest(
        "chat", {"model": "m"}, ignored
    )


def test_a_translated_field_is_named_as_the_client_named_it() -> None:
    client = {"reasoning": {"effort": "high"}}
    request = UpstreamRequest("chat", {"reasoning_effort": "high"}, [])

    assert without_refused(request, ["reasoning_effort"], "responses", client) == UpstreamRequest(
        "chat", {}, ["reasoning"]
    )


@pytest.mark.parametrize(
    ("field", "value"), [("reasoning_effort", "high"), ("parallel_tool_calls", False), ("store", True)]
)
def test_a_field_of_the_client_that_changes_the_response_stays(field: str, value: Any) -> None:
    request = UpstreamRequest("chat", {field: value}, [])

    assert not may_lack(request, field, "chat", {field: value})
    assert without_refused(request, [field], "chat", {field: value}) == request


@pytest.mark.parametrize("status", [400, 403, 422])
@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Your organization must be verified to stream this model.", "stream"),
        ("Your organization must be verified to stream this model.", None),
        ("Unsupported value: 'stream' does not support true with this model.", "stream"),
        ("This model does not support streaming", None),
        ("Streaming is not supported for this model", None),
    ],
)
def test_a_server_that_may_not_stream(status: int, message: str, param: str | None) -> None:
    refusal = FieldRefusal(status, message, "unsupported_value", param)

    assert refused_fields(refusal, SENT) == [STREAMED]
    assert refused_fields(refusal, {**SENT, "stream": False}) == []


@pytest.mark.parametrize(
    "message",
    [
        "property 'stream_options' is unsupported",
        "Your organization must be verified to use this model",
        "The upstream provider closed its stream",
    ],
)
def test_other_refusals_are_not_about_streaming(message: str) -> None:
    assert STREAMED not in refused_fields(FieldRefusal(400, message, None, None), SENT)


class TestDeveloper:
    MESSAGES: tuple[dict[str, Any], ...] = (
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "developer", "content": "In French.", "name": "n"},
    )
    BODY: dict[str, Any] = {"model": "m", "messages": list(MESSAGES)}

    @pytest.mark.parametrize(
        ("message", "code", "param"),
        [
            (
                "Failed to deserialize the JSON body into the target type: messages[0].role: unknown variant "
                "`developer`, expected one of `system`, `user`, `assistant`, `tool` at line 1 column 40",
                "invalid_request_error",
                None,
            ),
            (
                "Unsupported value: 'messages[0].role' does not support 'developer' with this model.",
                "unsupported_value",
                "messages[0].role",
            ),
            ("'developer' is not one of ['system', 'user']", None, "messages.0.role"),
        ],
    )
    def test_is_refused(self, message: str, code: str | None, param: str | None) -> None:
        refusal = FieldRefusal(400, message, code, param)

        assert refused_fields(refusal, self.BODY) == [DEVELOPER]
        assert refused_fields(refusal, {**self.BODY, "messages": [self.MESSAGES[1]]}) == []

    def test_is_not_meant(self) -> None:
        assert refused_fields(FieldRefusal(400, "Ask the developer of this app", None, None), self.BODY) == []

    def test_becomes_system_in_its_place(self) -> None:
        request = UpstreamRequest("chat", self.BODY, [])
        assert may_lack(request, DEVELOPER, "chat", self.BODY)

        changed = without_refused(request, [DEVELOPER], "chat", self.BODY)

        assert changed.body["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "system", "content": "In French.", "name": "n"},
        ]
        assert changed.ignored == []
        assert self.BODY["messages"] == list(self.MESSAGES)


def test_state_that_a_server_misses_gets_a_placeholder() -> None:
    called = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f"}}]}
    request = UpstreamRequest("chat", {"messages": [called]}, [])
    message = "The `reasoning_content` in the thinking mode must be passed back to the API."

    (name,) = refused_fields(FieldRefusal(400, message, None, None), request.body)

    assert may_lack(request, name, "chat", request.body)
    changed = without_refused(request, [name], "chat", request.body)
    assert changed == UpstreamRequest("chat", {"messages": [{**called, "reasoning_content": ""}]}, [])
    assert not may_lack(changed, name, "chat", request.body)
    assert refused_fields(FieldRefusal(400, message, None, None), changed.body) == []
    assert not may_lack(UpstreamRequest("responses", {"input": []}, []), name, "responses", {})

"""
The documented examples of both endpoints, sent by curl as they are written.

What comes back has the documented shapes, field by field. Each example runs against an
account that speaks both wires, and against one that speaks only either.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
Json = dict[str, Any]

CAPITAL: Json = {
    "model": "gpt-4.1",
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
}
HAIKU: Json = {
    "model": "gpt-4.1",
    "messages": [{"role": "user", "content": "Write a haiku about coding"}],
    "stream": True,
}
QUANTUM: Json = {
    "model": "gpt-5.2",
    "messages": [{"role": "user", "content": "Explain quantum computing"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
WEATHER: Json = {
    "model": "gpt-4.1",
    "messages": [{"role": "user", "content": "What is the weather in San Francisco?"}],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Get current weather for a location",
                "parameters": {
                    "type": "object",
                    "properties": {"location": {"type": "string", "description": "City name"}},
                    "required": ["location"],
                },
            },
        }
    ],
    "tool_choice": "auto",
}
NEWS: Json = {
    "model": "gpt-4.1",
    "messages": [{"role": "user", "content": "What are the latest news about AI?"}],
    "tools": [{"type": "web_search"}],
}
PROFILE: Json = {
    "model": "gpt-4.1",
    "messages": [{"role": "user", "content": "Generate a person profile"}],
    "response_format": {
        "type": "json_schema",
        "json_schema": {
            "name": "person_profile",
            "schema": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "age": {"type": "number"},
                    "city": {"type": "string"},
                },
                "required": ["name", "age"],
            },
            "strict": True,
        },
    },
}
TUTOR: Json = {
    "model": "gpt-4.1",
    "messages": [
        {"role": "system", "content": "You are a helpful math tutor."},
        {"role": "user", "content": "What is 25 * 4?"},
    ],
}
CHAT_REFERENCE: Json = {
    "model": "<string>",
    "messages": [{}],
    "tools": [{}],
    "tool_choice": {},
    "parallel_tool_calls": True,
    "stream": True,
    "stream_options": {},
    "temperature": 123,
    "top_p": 123,
    "max_tokens": 123,
    "max_completion_tokens": 123,
    "response_format": {},
    "stop": {},
    "presence_penalty": 123,
    "frequency_penalty": 123,
    "logprobs": True,
    "top_logprobs": 123,
    "seed": 123,
    "n": 123,
}

ENTANGLEMENT: Json = {"model": "gpt-4.1", "input": "Explain quantum entanglement in simple terms"}
STORY: Json = {"model": "gpt-4.1", "input": "Write a short story about a robot", "stream": True}
CODER: Json = {
    "model": "gpt-4.1",
    "instructions": "You are a helpful coding assistant. Provide concise answers with code examples.",
    "input": "How do I sort a list in Python?",
}
MESSAGES: Json = {
    "model": "gpt-4.1",
    "messages": [
        {"role": "system", "content": "You are a math tutor."},
        {"role": "user", "content": "What is 15 * 23?"},
    ],
}
TIME: Json = {
    "model": "gpt-4.1",
    "input": "What is the current time in Tokyo?",
    "tools": [
        {
            "type": "function",
            "name": "get_time",
            "description": "Get current time for a timezone",
            "parameters": {
                "type": "object",
                "properties": {"timezone": {"type": "string", "description": "IANA timezone name"}},
                "required": ["timezone"],
            },
        }
    ],
    "tool_choice": "auto",
}
FUSION: Json = {
    "model": "gpt-4.1",
    "input": "What are the latest developments in fusion energy?",
    "tools": [{"type": "web_search"}],
}
MATH: Json = {
    "model": "gpt-5.2",
    "input": "Solve this complex math problem: ...",
    "reasoning": {"effort": "high", "summary": "concise"},
}
LANGUAGES: Json = {
    "model": "gpt-4.1",
    "input": "List 3 programming languages with their use cases",
    "text": {
        "format": {
            "type": "json_schema",
            "name": "languages",
            "schema": {
                "type": "object",
                "properties": {
                    "languages": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"name": {"type": "string"}, "use_case": {"type": "string"}},
                            "required": ["name", "use_case"],
                        },
                    }
                },
            },
            "strict": True,
        }
    },
}
CONVERSATION: Json = {
    "model": "gpt-4.1",
    "input": "Tell me more about that",
    "conversation": "conv_abc123",
}
RESPONSES_REFERENCE: Json = {
    "model": "<string>",
    "input": {},
    "instructions": "<string>",
    "messages": [{}],
    "tools": [{}],
    "tool_choice": {},
    "parallel_tool_calls": True,
    "reasoning": {},
    "text": {},
    "stream": True,
    "include": [{}],
    "conversation": "<string>",
    "previous_response_id": "<string>",
    "store": True,
    "truncation": "<string>",
    "prompt_cache_key": "<string>",
}


@dataclass(frozen=True, slots=True)
class Received:
    status: int
    content_type: str
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    def error(self) -> Json:
        assert self.content_type == "application/json"
        error: Json = self.json()["error"]
        assert {"message", "type", "code"} <= error.keys()
        assert error["message"]
        return error

    def datas(self) -> list[str]:
        assert self.content_type.startswith("text/event-stream")
        return [line.removeprefix("data: ") for line in self.text.splitlines() if line.startswith("data: ")]


def curl(pool: PoolOfTest, path: str, body: Json, key: str | None = None) -> Received:
    """Send *body* the way the documents do."""
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", pool.gateway.url + path]
    command += ["-H", f"Authorization: Bearer {key or pool.key()}", "-H", "Content-Type: application/json"]
    command += ["-d", json.dumps(body, indent=2), "--write-out", "\n%{http_code} %{content_type}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    text, _, reply = done.stdout.rpartition("\n")
    status, _, content_type = reply.partition(" ")
    return Received(int(status), content_type, text)


def states(role: str, part: Json) -> Json:
    return {"messages": [{"role": role, "content": [part]}]}


def is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def check_chat_usage(usage: Json) -> None:
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert is_count(usage[name]), name
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    for details, name in [
        ("prompt_tokens_details", "cached_tokens"),
        ("completion_tokens_details", "reasoning_tokens"),
    ]:
        assert usage[details] is None or is_count(usage[details][name]), details


def checked_completion(received: Received) -> Json:
    """Check a `chat.completion` field by field, and return its choice."""
    assert (received.status, received.content_type) == (200, "application/json")
    body = received.json()
    assert isinstance(body["id"], str)
    assert body["id"]
    assert body["object"] == "chat.completion"
    assert is_count(body["created"])
    assert "gpt" in body["model"]
    check_chat_usage(body["usage"])
    (choice,) = body["choices"]
    message = choice["message"]
    assert choice["index"] == 0
    assert message["role"] == "assistant"
    assert isinstance(message["content"], str | None)
    assert message["refusal"] is None
    assert isinstance(message.get("tool_calls"), list | None)
    assert choice["finish_reason"] in ("stop", "length", "tool_calls", "content_filter")
    assert isinstance(choice, dict)
    return choice


def checked_chunks(received: Received) -> list[Json]:
    """Check the chunks of a chat stream field by field, and return them without a usage chunk."""
    *datas, done = received.datas()
    assert (received.status, done) == (200, "[DONE]")
    chunks = [json.loads(data) for data in datas]
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert (chunk["id"], chunk["created"], chunk["model"]) == (
            chunks[0]["id"],
            chunks[0]["created"],
            chunks[0]["model"],
        )
    reply = [chunk for chunk in chunks if chunk["choices"]]
    choices = [chunk["choices"][0] for chunk in reply]
    assert {choice["index"] for choice in choices} == {0}
    assert [choice["delta"].get("role") for choice in choices] == ["assistant"] + [None] * (len(choices) - 1)
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    return reply


def checked_response(body: Json) -> Json:
    """Check a completed `response` field by field, and return it."""
    assert isinstance(body["id"], str)
    assert body["id"]
    assert (body["object"], body["status"], body["error"]) == ("response", "completed", None)
    assert body["output"]
    assert all(isinstance(item["type"], str) for item in body["output"])
    usage = body["usage"]
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        assert is_count(usage[name]), name
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    for details, name in [
        ("input_tokens_details", "cached_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
    ]:
        assert usage[details] is None or is_count(usage[details][name]), details
    return body


def text_of(response: Json) -> str:
    message = response["output"][-1]
    assert (message["type"], message["role"], message["status"]) == ("message", "assistant", "completed")
    (part,) = message["content"]
    assert part["type"] == "output_text"
    return str(part["text"])


class TestChatExamples:
    @pytest.mark.parametrize("body", [CAPITAL, TUTOR, NEWS], ids=["capital", "tutor", "news"])
    def test_prose(self, served: PoolOfTest, body: Json) -> None:
        choice = checked_completion(curl(served, CHAT, body))

        assert body["messages"][-1]["content"] in choice["message"]["content"]
        assert choice["finish_reason"] == "stop"

    def test_streaming(self, served: PoolOfTest) -> None:
        received = curl(served, CHAT, HAIKU)

        text = "".join(
            chunk["choices"][0]["delta"].get("content") or "" for chunk in checked_chunks(received)
        )
        assert "Write a haiku about coding" in text
        assert '"usage"' not in received.text

    def test_streaming_with_usage(self, served: PoolOfTest) -> None:
        received = curl(served, CHAT, QUANTUM)

        reply = checked_chunks(received)
        last = json.loads(received.datas()[-2])
        assert last["choices"] == []
        check_chat_usage(last["usage"])
        assert all(chunk["usage"] is None for chunk in reply)

    def test_function_calling(self, served: PoolOfTest) -> None:
        choice = checked_completion(curl(served, CHAT, WEATHER))

        (call,) = choice["message"]["tool_calls"]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["content"] is None
        assert isinstance(call["id"], str)
        assert call["type"] == "function"
        assert call["function"]["name"] == "get_weather"
        assert set(json.loads(call["function"]["arguments"])) == {"location"}

    def test_structured_output(self, served: PoolOfTest) -> None:
        """The documented schema is not strict by the upstream's own rules; the upstream decides."""
        choice = checked_completion(curl(served, CHAT, PROFILE))

        assert {"name", "age"} <= json.loads(choice["message"]["content"]).keys()

    def test_the_reference_body(self, served: PoolOfTest) -> None:
        """Its placeholders are refused field by field, from the first on."""
        error = curl(served, CHAT, CHAT_REFERENCE).error()

        assert (error["code"], error["param"]) == ("invalid_request_error", "messages")


class TestResponsesExamples:
    @pytest.mark.parametrize(
        "body", [ENTANGLEMENT, CODER, MESSAGES, MATH], ids=["entanglement", "coder", "messages", "math"]
    )
    def test_prose(self, served: PoolOfTest, body: Json) -> None:
        received = curl(served, RESPONSES, body)

        requested = body.get("input") or body["messages"][-1]["content"]
        assert (received.status, received.content_type) == (200, "application/json")
        assert requested in text_of(checked_response(received.json()))

    def test_streaming(self, served: PoolOfTest) -> None:
        received = curl(served, RESPONSES, STORY)

        events = [json.loads(data) for data in received.datas()]
        names = [line.removeprefix("event: ") for line in received.text.splitlines() if line[:6] == "event:"]
        assert received.status == 200
        assert names == [event["type"] for event in events]
        assert names[:2] == ["response.created", "response.in_progress"]
        assert [name for name in names if name.endswith((".completed", ".incomplete", ".failed"))] == names[
            -1:
        ]
        assert events[0]["response"]["status"] == "in_progress"
        deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
        response = checked_response(events[-1]["response"])
        assert events[0]["response"]["id"] == response["id"]
        assert "Write a short story about a robot" in "".join(deltas) == text_of(response)

    def test_function_calling(self, served: PoolOfTest) -> None:
        response = checked_response(curl(served, RESPONSES, TIME).json())

        call = response["output"][-1]
        assert (call["type"], call["name"]) == ("function_call", "get_time")
        assert isinstance(call["call_id"], str)
        assert set(json.loads(call["arguments"])) == {"timezone"}

    @pytest.mark.parametrize(
        ("body", "field"), [(FUSION, "tools"), (CONVERSATION, "conversation")], ids=["search", "conversation"]
    )
    def test_what_only_responses_accounts_have(
        self, served: PoolOfTest, body: Json, field: str, request: pytest.FixtureRequest
    ) -> None:
        """An account with only chat can neither search nor know a conversation: that is reported."""
        received = curl(served, RESPONSES, body)

        if request.node.callspec.params["served"] == "chat only":
            assert received.status == 400
            assert received.error()["param"] == field
        else:
            assert body["input"] in text_of(checked_response(received.json()))

    def test_structured_output(self, served: PoolOfTest) -> None:
        """Nothing in the documented schema is required, so an empty object fits it."""
        made = json.loads(text_of(checked_response(curl(served, RESPONSES, LANGUAGES).json())))

        assert isinstance(made, dict)

    def test_the_reference_body(self, served: PoolOfTest) -> None:
        error = curl(served, RESPONSES, RESPONSES_REFERENCE).error()

        assert (error["code"], error["param"]) == ("invalid_request_error", "input")


class TestDocumentedErrors:
    @pytest.mark.parametrize(("path", "body"), [(CHAT, CAPITAL), (RESPONSES, ENTANGLEMENT)])
    @pytest.mark.parametrize("stream", [False, True])
    def test_model_not_allowed(self, pool: PoolOfTest, path: str, body: Json, stream: bool) -> None:
        key = pool.key(models=("gpt-4.1",))

        received = curl(pool, path, {**body, "model": "gpt-5.2", "stream": stream}, key)

        assert received.status == 403
        assert received.json() == {
            "error": {
                "message": "This API key does not have access to model 'gpt-5.2'",
                "type": "invalid_request_error",
                "code": "model_not_allowed",
            }
        }

    @pytest.mark.parametrize(("path", "body"), [(CHAT, HAIKU), (RESPONSES, STORY)])
    def test_no_accounts(self, pool: PoolOfTest, path: str, body: Json) -> None:
        received = curl(pool, path, body)

        assert (received.status, received.error()["code"]) == (503, "no_accounts")

    @pytest.mark.parametrize(("path", "body"), [(CHAT, HAIKU), (RESPONSES, STORY)])
    def test_upstream_error(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, path: str, body: Json
    ) -> None:
        """The upstream refuses our account there: its message is the best available."""
        pool.account("a", upstream.base_url())
        upstream.script({"play": "http_error", "status": 401})

        received = curl(pool, path, body)

        assert (received.status, received.error()["code"]) == (502, "upstream_error")

    def test_not_implemented(self, pool: PoolOfTest) -> None:
        received = curl(pool, f"{RESPONSES}/compact", ENTANGLEMENT)

        assert (received.status, received.error()["code"]) == (501, "not_implemented")

    @pytest.mark.parametrize(
        ("change", "param"),
        [
            ({"messages": None}, "messages"),
            ({"messages": []}, "messages"),
            ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages"),
            (states("system", {"type": "image_url", "image_url": {"url": "https://host/a.png"}}), "messages"),
            (states("user", {"type": "file", "file": {"file_id": "file_1"}}), "messages"),
            (
                states("user", {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}),
                "messages",
            ),
            ({"messages": [{"role": "tool", "tool_call_id": "call_1", "content": "18"}]}, "messages"),
            ({"messages": [{"role": "tool", "content": "18"}]}, "messages"),
            *(
                ({"tools": [{"type": kind}]}, "tools")
                for kind in (
                    "file_search",
                    "code_interpreter",
                    "computer_use",
                    "computer_use_preview",
                    "image_generation",
                )
            ),
            ({"tool_choice": "sometimes"}, "tool_choice"),
            ({"response_format": {"type": "json_schema"}}, "response_format"),
            (
                {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}},
                "response_format.json_schema.name",
            ),
            (
                {"response_format": {"type": "json_schema", "json_schema": {"name": "n" * 65, "schema": {}}}},
                "response_format.json_schema.name",
            ),
            ({"top_logprobs": 2}, "top_logprobs"),
            ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ],
    )
    def test_chat_refuses(self, pool: PoolOfTest, change: Json, param: str) -> None:
        received = curl(pool, CHAT, {**CAPITAL, **change})

        error = received.error()
        assert (received.status, error["type"], error["code"], error["param"]) == (
            400,
            "invalid_request_error",
            "invalid_request_error",
            param,
        )

    @pytest.mark.parametrize(
        ("change", "param"),
        [
            ({"messages": MESSAGES["messages"]}, "messages"),
            ({"input": None}, "input"),
            ({"input": {}}, "input"),
            ({"input": 1}, "input"),
            (
                {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]},
                "input",
            ),
            *(
                ({"tools": [{"type": kind}]}, "tools")
                for kind in ("file_search", "code_interpreter", "computer_use", "image_generation")
            ),
            ({"conversation": "conv_1", "previous_response_id": "resp_1"}, "previous_response_id"),
            ({"previous_response_id": "resp_1"}, "previous_response_id"),
            ({"store": True}, "store"),
            ({"truncation": "auto"}, "truncation"),
            ({"truncation": "disabled"}, "truncation"),
            ({"include": ["everything"]}, "include"),
        ],
    )
    def test_responses_refuse(self, pool: PoolOfTest, change: Json, param: str) -> None:
        received = curl(pool, RESPONSES, {**ENTANGLEMENT, **change})

        error = received.error()
        assert (received.status, error["type"], error["code"], error["param"]) == (
            400,
            "invalid_request_error",
            "invalid_request_error",
            param,
        )


class TestWhatTheUpstreamIsSent:
    """The documented handling of a field, seen from the other side."""

    @pytest.fixture
    def sent(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> Any:
        base_url = f"{upstream.root_url()}/backend-api"
        pool.account("a", base_url, kind="chatgpt", chatgpt_account_id="acc-1")

        def send(path: str, body: Json) -> Json:
            received = curl(pool, path, body)
            assert received.status == 200, received.text
            (seen,) = upstream.log()
            assert seen.body is not None
            return seen.body

        return send

    def test_chat_is_mapped(self, sent: Any) -> None:
        body = sent(CHAT, TUTOR)

        assert body["instructions"] == "You are a helpful math tutor."
        assert body["input"] == [
            {"role": "user", "content": [{"type": "input_text", "text": "What is 25 * 4?"}]}
        ]
        assert (body["store"], body["stream"]) == (False, True)

    def test_a_string_becomes_an_input_text(self, sent: Any) -> None:
        body = sent(RESPONSES, ENTANGLEMENT)

        (item,) = body["input"]
        assert item["role"] == "user"
        assert item["content"] == [{"type": "input_text", "text": ENTANGLEMENT["input"]}]

    def test_messages_are_coerced(self, sent: Any) -> None:
        body = sent(RESPONSES, MESSAGES)

        assert body["instructions"] == "You are a math tutor."
        assert "messages" not in body
        assert [item["role"] for item in body["input"]] == ["user"]

    @pytest.mark.parametrize(("path", "body"), [(CHAT, NEWS), (RESPONSES, FUSION)])
    def test_web_search_preview_is_web_search(self, sent: Any, path: str, body: Json) -> None:
        tools = [{"type": "web_search_preview", "search_context_size": "low"}]

        assert sent(path, {**body, "tools": tools})["tools"] == [
            {"type": "web_search", "search_context_size": "low"}
        ]

    def test_stripped_fields(self, sent: Any) -> None:
        stripped = {
            "safety_identifier": "s",
            "prompt_cache_retention": "24h",
            "temperature": 0.5,
            "max_output_tokens": 500,
        }

        assert sent(RESPONSES, {**MATH, **stripped}).keys().isdisjoint(stripped)

    def test_interleaved_thoughts_are_stripped(self, sent: Any) -> None:
        """Keys of that name go; items of that type, and what controls reasoning, stay."""
        sent_text = {
            "role": "assistant",
            "content": "Hm.",
            "reasoning_content": "I think",
            "reasoning_details": [{}],
            "tool_calls": [],
            "function_call": {"name": "f"},
        }
        call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
        result = {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"}

        body = sent(RESPONSES, {**MATH, "input": [sent_text, call, result]})

        assert body["reasoning"] == MATH["reasoning"]
        assert body["input"] == [
            {"role": "assistant", "content": [{"type": "output_text", "text": "Hm."}]},
            call,
            {"type": "function_call_output", "call_id": "call_1", "output": "18 degrees"},
        ]

"""A request of the playground: its body for each endpoint, the text of its response, and code for it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.presentation.playground import PlaygroundRequest, reply_text, request_snippets
from schemas.chat import CHAT_REQUEST
from schemas.playground import PlaygroundInput
from schemas.responses import RESPONSES_REQUEST

ALL = {
    "key": "ann",
    "model": "gpt-5",
    "endpoint": "chat",
    "message": 'It\'s "time"\n$HOME',
    "turns": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}],
    "system": "Be brief.",
    "temperature": 0.5,
    "max_tokens": 100,
    "effort": "low",
    "json": True,
    "stream": True,
}
SHORT = {"key": "ann", "model": "gpt-5", "endpoint": "chat", "message": "Hello"}


def composed(fields: dict[str, Any], **changed: Any) -> PlaygroundRequest:
    return PlaygroundRequest(PlaygroundInput().load(fields | changed))


class TestBody:
    def test_of_chat(self) -> None:
        request = composed(ALL)

        assert request.path == "/v1/chat/completions"
        assert request.body() == {
            "model": "gpt-5",
            "messages": [
                {"role": "system", "content": "Be brief."},
                *ALL["turns"],
                {"role": "user", "content": ALL["message"]},
            ],
            "temperature": 0.5,
            "max_completion_tokens": 100,
            "reasoning_effort": "low",
            "response_format": {"type": "json_object"},
            "stream": True,
            "stream_options": {"include_usage": True},
        }

    def test_of_responses(self) -> None:
        request = composed(ALL, endpoint="responses")

        assert request.path == "/v1/responses"
        assert request.body() == {
            "model": "gpt-5",
            "instructions": "Be brief.",
            "input": [*ALL["turns"], {"role": "user", "content": ALL["message"]}],
            "temperature": 0.5,
            "max_output_tokens": 100,
            "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_object"}},
            "stream": True,
        }

    def test_nothing_but_what_was_chosen(self) -> None:
        message = {"role": "user", "content": "Hello"}

        assert composed(SHORT).body() == {"model": "gpt-5", "messages": [message]}
        assert composed(SHORT, endpoint="responses").body() == {"model": "gpt-5", "input": [message]}

    def test_at_one_account(self) -> None:
        """The endpoint whose model names may begin with an account."""
        request = composed(SHORT, account="main")

        assert request.path == "/openai/v1/chat/completions"
        assert request.body()["model"] == "main/gpt-5"

    @pytest.mark.parametrize("fields", [ALL, SHORT])
    def test_the_gateway_accepts_it(self, fields: dict[str, Any]) -> None:
        CHAT_REQUEST.load(composed(fields).body())
        RESPONSES_REQUEST.load(composed(fields, endpoint="responses").body())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"choices": [{"message": {"content": "Hi"}}]}, "Hi"),
        ({"choices": [{"message": {"content": None, "refusal": "No"}}]}, "No"),
        ({"output": [{"type": "reasoning"}, {"type": "message", "content": [{"text": "Hi"}]}]}, "Hi"),
        ({"output": [{"type": "message", "content": [{"refusal": "No"}]}]}, "No"),
        ({"choices": None}, ""),
        ({"choices": [1], "output": [{"type": "message", "content": "x"}]}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_text_of_a_response(body: Any, text: str) -> None:
    assert reply_text(body) == text


class TestSnippets:
    @pytest.mark.parametrize("fields", [ALL, SHORT, ALL | {"endpoint": "responses"}])
    def test_python_has_the_request(self, fields: dict[str, Any]) -> None:
        """It is executed with a client that records what it is called with."""
        request = composed(fields)
        _, python, _ = request_snippets("http://gate.test", request)
        called: dict[str, Any] = {}

        class OpenAI:
            def __init__(self, **options: str) -> None:
                called.update(options)
                self.chat = self.completions = self.responses = self

            def create(self, **body: Any) -> Any:
                called["body"] = body
                return self if "stream" not in body else ()

            output_text = "text"

            def __getattr__(self, name: str) -> Any:
                return [self] if name == "choices" else self

        code = python.text.replace("from openai import OpenAI\n", "").replace("import os\n", "")
        environment = {"POOLGATE_KEY": "the key"}
        exec(
            code,
            {
                "OpenAI": OpenAI,
                "os": type("os", (), {"environ": environment}),
                "print": lambda *_, **__: None,
            },
        )

        assert called == {"base_url": "http://gate.test/v1", "api_key": "the key", "body": request.body()}

    def test_curl_quotes_the_request_for_a_shell(self) -> None:
        request = composed(ALL)
        curl = request_snippets("http://gate.test", request)[0].text

        quoted = curl.partition("-d ")[2]
        assert orjson.loads(quoted[1:-1].replace("'\\''", "'")) == request.body()
        assert "http://gate.test/v1/chat/completions" in curl

    def test_no_secret(self) -> None:
        assert all(
            "$POOLGATE_KEY" in one.text or "POOLGATE_KEY" in one.text
            for one in request_snippets("", composed(ALL))
        )

    def test_at_one_account(self) -> None:
        curl, python, node = request_snippets("http://gate.test", composed(SHORT, account="main"))

        assert "http://gate.test/openai/v1/chat/completions" in curl.text
        assert all('"http://gate.test/openai/v1"' in one.text for one in (python, node))

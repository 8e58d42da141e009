"""The official SDK, and curl, at the endpoints that other gateways document."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode

import openai
import pytest
from openai import OpenAI

from tests.support.gateway import PoolOfTest

REQUEST = "Say hello"
BASES = {"basic": "/api/v1/openai", "extended": "/openai/v1", "extended, short": "/openai"}


def connect(pool: PoolOfTest, endpoint: str, key: str) -> OpenAI:
    basic = {"Authorization": f"Basic {b64encode(f':{key}'.encode()).decode()}"}
    return OpenAI(
        base_url=pool.gateway.url + BASES[endpoint],
        api_key=key,
        default_headers=basic if endpoint == "basic" else {},
        max_retries=0,
    )


@pytest.mark.parametrize("endpoint", BASES)
class TestTheSdk:
    def test_a_complete_response(self, served: PoolOfTest, endpoint: str) -> None:
        with connect(served, endpoint, served.key()) as client:
            response = client.chat.completions.create(
                model="gpt-4.1", messages=[{"role": "user", "content": REQUEST}]
            )

        assert response.choices[0].message.content
        assert response.usage is not None
        assert response.usage.total_tokens > 0

    def test_a_stream(self, served: PoolOfTest, endpoint: str) -> None:
        with (
            connect(served, endpoint, served.key()) as client,
            client.chat.completions.stream(
                model="gpt-4.1", messages=[{"role": "user", "content": REQUEST}]
            ) as stream,
        ):
            response = stream.get_final_completion()

        assert response.choices[0].message.content
        assert response.choices[0].finish_reason == "stop"

    def test_errors(self, served: PoolOfTest, endpoint: str) -> None:
        with connect(served, endpoint, served.key()) as client, pytest.raises(openai.APIStatusError) as reply:
            client.chat.completions.create(model="gpt-4.1", messages=[])

        assert reply.value.status_code == (422 if endpoint == "basic" else 400)
        assert reply.value.type == "invalid_request_error"
        assert reply.value.param == "messages"

    def test_no_key(self, served: PoolOfTest, endpoint: str) -> None:
        with (
            connect(served, endpoint, "sk-pg-none") as client,
            pytest.raises(openai.AuthenticationError) as reply,
        ):
            client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": REQUEST}])

        assert reply.value.code == "invalid_api_key"


def curl(pool: PoolOfTest, path: str, *args: str, **change: object) -> tuple[int, dict[str, object]]:
    body = {"model": "gpt-4.1", "messages": [{"role": "system", "content": "Be kind."}], **change}
    command = ["curl", "-sS", "--request", "POST", "--url", pool.gateway.url + path]
    command += ["--header", "Content-Type: application/json", "--data", json.dumps(body), *args]
    done = subprocess.run([*command, "-w", "\n%{http_code}"], capture_output=True, check=True, text=True)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(text)


class TestCurl:
    """The documented lines, with what they leave open filled in."""

    def test_bearer(self, served: PoolOfTest) -> None:
        header = f"Authorization: Bearer {served.key()}"
        status, response = curl(served, "/v1/chat/completions", "--header", header, temperature=123)

        assert (status, response["object"]) == (200, "chat.completion")

    @pytest.mark.parametrize("user", ["ann:{}", ":{}", "{}:"])
    def test_basic(self, served: PoolOfTest, user: str) -> None:
        path = "/api/v1/openai/chat/completions"
        status, response = curl(
            served, path, "--user", user.format(served.key()), tool_choice="none", store=True
        )

        assert (status, response["object"]) == (200, "chat.completion")

    def test_extended(self, served: PoolOfTest) -> None:
        path, header = "/openai/v1/chat/completions", f"x-bf-vk: {served.key()}"
        change = {"temperature": 1, "frequency_penalty": 0, "fallbacks": ["openai/gpt-5.2"]}
        status, response = curl(served, path, "--header", header, **change)

        assert status == 200
        assert {"id", "choices", "usage", "extra_fields"} <= set(response)

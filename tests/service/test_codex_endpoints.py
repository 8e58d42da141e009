"""The ChatGPT backend's addresses, as the Codex CLI uses them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.service.test_common_rules import HANDSHAKE, error_of
from tests.service.test_model_responses import CHAT, events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

PATH = "/backend-api/codex/responses"
USER = {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
CODEX: dict[str, Any] = {"model": "m", "instructions": "Be brief.", "input": [USER], "store": False}
LIMITS = {"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": 5.0}}}


def finished(text: str) -> list[dict[str, Any]]:
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
    response = {"id": "resp_1", "object": "response", "output": [item], "status": "completed"}
    return [
        {"type": "response.created", "response": {"id": "resp_1", "output": []}, "sequence_number": 0},
        {"type": "response.output_text.delta", "delta": text, "output_index": 0, "content_index": 0},
        {"type": "response.completed", "response": response},
    ]


@pytest.fixture
def chatgpt(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    base_url = f"{upstream.root_url()}/backend-api"
    pool.account("a", base_url, kind="chatgpt", chatgpt_account_id="acc-1")
    return pool


class TestResponses:
    @pytest.mark.parametrize("stream", [True, False, None])
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_always_a_stream(
        self, chatgpt: PoolOfTest, upstream: ScriptedUpstream, stream: bool | None, slash: str
    ) -> None:
        response = chatgpt.post(PATH + slash, {**CODEX, "stream": stream}, chatgpt.key())

        assert response.headers["content-type"].startswith("text/event-stream")
        events = events_of(response.text)
        assert (events[-2]["type"], events[-1]) == ("response.completed", "[DONE]")
        (seen,) = upstream.log()
        assert seen.body is not None
        assert (seen.body["stream"], seen.body["store"]) == (True, False)

    def test_its_own_events_pass(self, chatgpt: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """On /v1 they are left out: no SDK knows them."""
        upstream.script({"play": "events", "events": [LIMITS, *finished("Hi")]})
        key = chatgpt.key()

        codex = events_of(chatgpt.post(PATH, CODEX, key).text)
        openai = events_of(chatgpt.post("/v1/responses", {**CODEX, "stream": True}, key).text)

        assert LIMITS in codex
        assert LIMITS not in openai

    def test_hidden_windows_are_left_out(self, chatgpt: PoolOfTest, upstream: ScriptedUpstream) -> None:
        other = {"type": "codex.response.metadata", "headers": {}}
        chatgpt.set(settings='{"tells_windows": false}')
        upstream.script({"play": "events", "events": [LIMITS, other, *finished("Hi")]})

        events = events_of(chatgpt.post(PATH, CODEX, chatgpt.key()).text)

        assert LIMITS not in events
        assert other in events

    def test_a_failure_is_reported_and_the_stream_ended(
        self, chatgpt: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        upstream.script({"play": "text", "text": "Half", "deltas": 2, "at": {"1": [{"close": True}]}})

        events = events_of(chatgpt.post(PATH, CODEX, chatgpt.key()).text)

        assert (events[-2]["type"], events[-1]) == ("response.failed", "[DONE]")

    @pytest.mark.parametrize("tool", ["image_generation", "file_search", "code_interpreter", "web_search"])
    def test_tools_that_the_service_runs(
        self, chatgpt: PoolOfTest, upstream: ScriptedUpstream, tool: str
    ) -> None:
        response = chatgpt.post(PATH, {**CODEX, "tools": [{"type": tool}]}, chatgpt.key())

        assert response.status_code == 200
        (seen,) = upstream.log()
        assert seen.body is not None
        assert seen.body["tools"] == [{"type": tool}]

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({}, 400),
            ({"input": "Hello"}, 200),
            ({"input": [{"role": "developer", "content": "Be brief."}, USER]}, 200),
            ({"input": [{"type": "additional_tools", "tools": []}, USER]}, 200),
            ({"input": None, "messages": CHAT["messages"]}, 200),
        ],
    )
    def test_instructions(self, chatgpt: PoolOfTest, change: dict[str, Any], status: int) -> None:
        """They are required of a body that is Codex's and brings none in its input."""
        body = {name: value for name, value in CODEX.items() if name != "instructions"}

        response = chatgpt.post(PATH, body | change, chatgpt.key())

        assert response.status_code == status, response.text
        if status == 400:
            assert error_of(response)["param"] == "instructions"


def test_a_handshake_of_another_version_is_refused_in_favour_of_http(pool: PoolOfTest) -> None:
    headers = {"Authorization": f"Bearer {pool.key()}", **HANDSHAKE, "Sec-WebSocket-Version": "8"}

    response = requests.get(pool.gateway.url + PATH, headers=headers, timeout=10)

    assert (response.status_code, response.headers["x-should-retry"]) == (426, "false")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/backend-api/nothing", 404, "not_found"),
        ("GET", "/backend-api/codex/nothing", 404, "not_found"),
        ("PUT", PATH, 405, "method_not_allowed"),
        ("GET", "/backend-api/codex/v1/chat/completions", 405, "method_not_allowed"),
    ],
)
def test_wrong_addresses(pool: PoolOfTest, method: str, path: str, status: int, code: str) -> None:
    response = requests.request(method, pool.gateway.url + path, timeout=10)

    assert (response.status_code, error_of(response)["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/images/variations", 404, "not_found"),
        ("/backend-api/codex/v1/images/variations", 404, "not_found"),
        ("/backend-api/transcribe", 501, "not_implemented"),
        ("/backend-api/files", 501, "not_implemented"),
        ("/backend-api/files/file_1/uploaded", 501, "not_implemented"),
    ],
)
def test_addresses_that_are_known_but_not_served(pool: PoolOfTest, path: str, status: int, code: str) -> None:
    """Clients are refused once, and not to retry; without a key they learn nothing."""
    response = pool.post(path, {}, pool.key())

    assert (response.status_code, error_of(response)["code"]) == (status, code)
    assert response.headers["x-should-retry"] == "false"
    assert pool.post(path, {}).status_code == 401


def test_v1_has_an_alias(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    key = pool.key()

    assert pool.post("/backend-api/codex/v1/chat/completions", CHAT, key).json()["choices"]
    assert pool.post("/backend-api/codex/v1/responses", {"model": "m", "input": "Hi"}, key).json()["output"]
    assert pool.get("/backend-api/codex/v1/models", key).json()["object"] == "list"


class TestCatalogue:
    @pytest.mark.parametrize("path", ["/backend-api/codex/models", "/v1/models?client_version=0.169.0"])
    def test_each_model_is_what_codex_can_read(self, chatgpt: PoolOfTest, path: str) -> None:
        """It has the upstream's data about a model, and the fields that Codex requires."""
        accounts = chatgpt.gateway.services.accounts
        account = accounts.find(chatgpt.name, "a")
        accounts.list_models(
            chatgpt.name, account.id, ["m", "n"], {"m": {"display_name": "Em", "priority": 1}}
        )

        response = chatgpt.get(path, chatgpt.key(models=("m",))).json()

        (model,) = response["models"]
        assert (model["slug"], model["display_name"], model["priority"]) == ("m", "Em", 1)
        assert model["base_instructions"]
        assert [entry["id"] for entry in response["data"]] == ["m"]
        required = {"shell_type", "visibility", "base_instructions", "truncation_policy"}
        assert required <= model.keys()

    def test_the_upstreams_instructions_are_preserved(self, chatgpt: PoolOfTest) -> None:
        services = chatgpt.gateway.services
        account = services.accounts.find(chatgpt.name, "a")
        services.accounts.list_models(chatgpt.name, account.id, ["m", "n"])
        services.upstream.metadata.put(
            chatgpt.name, account.id, "catalogue", {"m": {"base_instructions": "Its own."}}
        )
        key = chatgpt.key()

        models = chatgpt.get("/backend-api/codex/models", key).json()["models"]

        first, second = (model["base_instructions"] for model in models)
        assert first == "Its own."
        assert second not in ("", first)
        assert "Its own." not in chatgpt.get("/v1/models", key).text

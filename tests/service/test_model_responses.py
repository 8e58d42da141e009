"""Both endpoints, whole and streamed, to accounts of either wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
RESPONSES = {"model": "m", "input": "Hello"}
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}
BODIES: dict[str, dict[str, Any]] = {"chat": CHAT, "responses": RESPONSES}


def text_of(endpoint: str, response: dict[str, Any]) -> str:
    if endpoint == "chat":
        return str(response["choices"][0]["message"]["content"])
    return "".join(part["text"] for item in response["output"] for part in item["content"])


def events_of(body: str) -> list[Any]:
    datas = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


def streamed_text(endpoint: str, events: list[Any]) -> str:
    if endpoint == "chat":
        deltas = [event["choices"][0]["delta"] for event in events if event != "[DONE]" and event["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


@pytest.mark.parametrize("wire", ["chat", "responses"])
@pytest.mark.parametrize("endpoint", ["chat", "responses"])
class TestEitherProtocol:
    def test_a_complete_response(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, wire: str
    ) -> None:
        pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))
        upstream.script({"play": "text", "text": "Good morning.", "deltas": 3})

        response = pool.post(PATHS[endpoint], BODIES[endpoint], pool.key())

        assert response.status_code == 200
        assert text_of(endpoint, response.json()) == "Good morning."
        (seen,) = upstream.wait_for(1)
        assert seen.path.endswith(PATHS[wire].removeprefix("/v1"))

    def test_a_streamed_response(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, wire: str
    ) -> None:
        pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))
        upstream.script({"play": "text", "text": "Good morning.", "deltas": 3})

        response = pool.post(PATHS[endpoint], {**BODIES[endpoint], "stream": True}, pool.key())

        events = events_of(response.text)
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert streamed_text(endpoint, events) == "Good morning."
        assert (events[-1] == "[DONE]") == (endpoint == "chat")

    def test_the_ledger_has_the_upstreams_count(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, wire: str
    ) -> None:
        pool.account("a", upstream.base_url(), kind="compatible", protocols=(wire,))

        pool.post(PATHS[endpoint], BODIES[endpoint], pool.key())

        (row,) = pool.wait_for_rows(1)
        billed = upstream.billed()["a"]
        assert row["source"] == "upstream"
        assert row["input_tokens"] == billed["input_tokens"]
        assert row["output_tokens"] == billed["output_tokens"]
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_a_response_names_its_account(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("east", upstream.base_url())

    response = pool.post(PATHS["chat"], CHAT, pool.key(), headers={"x-request-id": "mine-1"})

    assert response.headers["x-poolgate-account"] == "east"
    assert response.headers["x-request-id"] == "mine-1"
    assert response.headers["x-poolgate-request-id"].startswith("req_")


def test_usage_is_sent_only_if_requested(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """The gateway always requests usage of its upstream; the client sees it only if requested."""
    pool.account("a", upstream.base_url())
    key = pool.key()

    without = pool.post(PATHS["chat"], {**CHAT, "stream": True}, key).text
    request_body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    with_usage = events_of(pool.post(PATHS["chat"], request_body, key).text)

    assert '"usage"' not in without
    assert with_usage[-2]["choices"] == []
    assert with_usage[-2]["usage"]["total_tokens"] > 0
    assert all(event["usage"] is None for event in with_usage[:-2])


def test_events_arrive_when_the_upstream_sends_them(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "chat_text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})

    with pool.post(PATHS["chat"], {**CHAT, "stream": True}, pool.key(), stream=True) as response:
        lines = response.iter_lines(chunk_size=1)
        first = next(line for line in lines if b'"one' in line)
        upstream.wait_for(gate="go")
        upstream.release("go")
        rest = b"".join(lines)

    assert first
    assert rest.endswith(b"[DONE]")

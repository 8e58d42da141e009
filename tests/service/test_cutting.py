"""The gateway enforces limits that an upstream does not support."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits.limit_syntax import parse_limit
from tests.service.test_model_responses import BODIES, PATHS, events_of, streamed_text, text_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

TEXT = "one two three four five six seven eight nine ten"
ENDLESS = {"play": "text", "text": TEXT, "deltas": 10, "at": {"6": [{"stall": True}]}}


@pytest.fixture
def chatgpt(pool: PoolOfTest, upstream: ScriptedUpstream) -> PoolOfTest:
    """An account whose backend takes neither a length nor stop texts."""
    pool.account("a", upstream.root_url() + "/backend-api", kind="chatgpt", chatgpt_account_id="u")
    upstream.script(ENDLESS)
    return pool


def limited(endpoint: str, tokens: int) -> dict[str, Any]:
    return {"max_completion_tokens" if endpoint == "chat" else "max_output_tokens": tokens}


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_a_response_ends_at_its_length(
    chatgpt: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
) -> None:
    body = {**BODIES[endpoint], **limited(endpoint, 4)}

    response = chatgpt.post(PATHS[endpoint], body, chatgpt.key()).json()

    assert text_of(endpoint, response) == TEXT[:16]
    if endpoint == "chat":
        assert response["choices"][0]["finish_reason"] == "length"
    else:
        assert (response["status"], response["incomplete_details"]) == (
            "incomplete",
            {"reason": "max_output_tokens"},
        )
    (seen,) = upstream.wait_for(1, end="any")
    assert seen.end in ("client_closed", "reset")
    (row,) = chatgpt.wait_for_rows(1)
    assert (row["status"], row["source"]) == (200, "estimated")
    assert chatgpt.states() == {"a": "active"}


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_so_does_a_stream(chatgpt: PoolOfTest, endpoint: str) -> None:
    body = {**BODIES[endpoint], **limited(endpoint, 4), "stream": True}

    events = events_of(chatgpt.post(PATHS[endpoint], body, chatgpt.key()).text)

    assert streamed_text(endpoint, events) == TEXT[:16]
    last = events[-2]["choices"][0]["finish_reason"] if endpoint == "chat" else events[-1]["type"]
    assert last == ("length" if endpoint == "chat" else "response.incomplete")


def test_a_stop_text_ends_a_chat_and_is_not_shown(chatgpt: PoolOfTest) -> None:
    response = chatgpt.post(PATHS["chat"], {**BODIES["chat"], "stop": ["ee fo"]}, chatgpt.key()).json()

    assert text_of("chat", response) == "one two thr"
    assert response["choices"][0]["finish_reason"] == "stop"


def test_an_upstream_that_takes_limits_is_given_them(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())

    pool.post(PATHS["chat"], {**BODIES["chat"], "max_tokens": 4, "stop": "x"}, pool.key())

    (seen,) = upstream.wait_for(1)
    assert seen.body is not None
    assert (seen.body["max_tokens"], seen.body["stop"]) == (4, "x")


@pytest.mark.parametrize("stream", [False, True])
def test_a_length_that_its_protocol_refuses_as_too_short_is_enforced(
    pool: PoolOfTest, upstream: ScriptedUpstream, stream: bool
) -> None:
    """The Responses API accepts 16 tokens or more: the request has 16, the client gets 4."""
    pool.account("a", upstream.base_url(), kind="compatible", protocols=("responses",))
    upstream.script(ENDLESS)

    body = {**BODIES["chat"], "max_tokens": 4, "stream": stream}
    response = pool.post(PATHS["chat"], body, pool.key())

    if stream:
        events = events_of(response.text)
        text, last = streamed_text("chat", events), events[-2]["choices"][0]["finish_reason"]
    else:
        text, last = text_of("chat", response.json()), response.json()["choices"][0]["finish_reason"]
    assert (text, last) == (TEXT[:16], "length")
    (seen,) = upstream.wait_for(1)
    assert seen.body is not None
    assert seen.body["max_output_tokens"] == 16


@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_a_key_has_a_length_for_requests_that_name_none(
    pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
) -> None:
    """And a strict limit then holds no more than that for one."""
    pool.account("a", upstream.base_url())
    limit = parse_limit("1000 output_tokens/day")
    key = pool.key(output_tokens=40, limits=(limit,))

    response = pool.post(PATHS[endpoint], BODIES[endpoint], key)

    (seen,) = upstream.wait_for(1)
    assert seen.body is not None
    assert next(iter(limited(endpoint, 40).items())) in seen.body.items()
    assert response.headers["x-ratelimit-remaining-tokens"] == "960"


def test_a_length_in_the_request_is_enforced(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())

    pool.post(PATHS["chat"], {**BODIES["chat"], "max_tokens": 7}, pool.key(output_tokens=40))

    (seen,) = upstream.wait_for(1)
    assert seen.body is not None
    assert (seen.body["max_tokens"], "max_completion_tokens" in seen.body) == (7, False)


class TestHiddenOutput:
    """A ChatGPT account may reason unseen past any length: there the model's maximum is reserved."""

    BODY = {**BODIES["chat"], "model": "gpt-4.1", "max_completion_tokens": 5}

    def test_a_limit_that_has_no_room_for_it(self, chatgpt: PoolOfTest) -> None:
        key = chatgpt.key(limits=(parse_limit("2000 output_tokens/day"),))

        response = chatgpt.post(PATHS["chat"], self.BODY, key)

        message = response.json()["error"]["message"]
        assert response.status_code == 429
        assert "limit of 2,000 output tokens per day" in message
        assert "may use up to 32,768 output tokens" in message
        assert "raise the limit" in message
        assert chatgpt.rows() == []

    def test_an_account_that_supports_lengths_serves_instead(
        self, chatgpt: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        chatgpt.account("api", upstream.base_url("api"))
        upstream.script({"play": "text", "text": "Fine."}, account="api")
        key = chatgpt.key(limits=(parse_limit("2000 output_tokens/day"),))

        for _ in range(4):
            assert chatgpt.post(PATHS["chat"], self.BODY, key).status_code == 200

        assert {seen.account for seen in upstream.wait_for(4)} == {"api"}

    def test_what_was_cut_is_charged_what_it_may_have_cost(self, chatgpt: PoolOfTest) -> None:
        key = chatgpt.key(limits=(parse_limit("40000 output_tokens/day"),))

        response = chatgpt.post(PATHS["chat"], self.BODY, key).json()

        assert text_of("chat", response) == TEXT[:20]
        (row,) = chatgpt.wait_for_rows(1)
        assert (row["source"], row["unreported"]) == ("estimated", "cut")
        assert row["output_tokens"] + row["unreported_output_tokens"] == 32_768
        (reply,) = chatgpt.get("/v1/usage", key).json()["limits"]
        assert (reply["current_value"], reply["held_value"]) == (32_768, 0)


class TestExceeded:
    """A server that ignores lengths is remembered: from then on the model's maximum is reserved there."""

    BODY = {**BODIES["chat"], "model": "llama", "max_tokens": 20}

    @pytest.fixture
    def key(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
        pool.account("local", upstream.base_url(), kind="compatible")
        upstream.script({"play": "text", "text": "word " * 30, "usage": {"output_tokens": 30}})
        return pool.key(limits=(parse_limit("1000 output_tokens/day"),))

    def test_more_input_than_the_request_has_bytes(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("local", upstream.base_url(), kind="compatible")
        upstream.script({"play": "text", "text": "Hi.", "usage": {"input_tokens": 100_000}})

        assert pool.post(PATHS["chat"], self.BODY, pool.key()).status_code == 200
        pool.wait_for_rows(1)

        found = pool.gateway.services.accounts.find(pool.name, "local").exceeded
        assert '"input_tokens":100000' in found

    def test_is_refused_until_an_operator_trusts_it_again(self, pool: PoolOfTest, key: str) -> None:
        assert pool.post(PATHS["chat"], self.BODY, key).status_code == 200
        pool.wait_for_rows(1)

        refused = pool.post(PATHS["chat"], self.BODY, key)

        assert (refused.status_code, "price set" in refused.json()["error"]["message"]) == (429, True)
        accounts = pool.gateway.services.accounts
        assert '"output_tokens":30' in accounts.find(pool.name, "local").exceeded
        accounts.forget_exceeded(pool.name, "local")
        assert pool.post(PATHS["chat"], self.BODY, key).status_code == 200

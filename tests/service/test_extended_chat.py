"""POST /openai/v1/chat/completions: model names, extra fields of responses, and cached responses."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits.limit_syntax import parse_limit
from tests.service.test_basic_chat import basic
from tests.service.test_leaving import send_request as begun
from tests.service.test_model_responses import CHAT, events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

PATHS = ["/openai/v1/chat/completions", "/openai/chat/completions"]
PATH = PATHS[0]
GPT: dict[str, Any] = {**CHAT, "model": "gpt-4.1"}
Json = dict[str, Any]


def limit(pool: PoolOfTest, text: str) -> None:
    """Add a limit to the key named `limited`."""
    services = pool.gateway.services
    key_id = services.api_keys.find(pool.name, "limited").id
    services.limits.add(pool.name, parse_limit(text), key_id)


def chunks_of(text: str) -> list[Json]:
    return [event for event in events_of(text) if event != "[DONE]"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("carrier", ["bearer", "basic", "x-api-key", "x-bf-vk"])
def test_the_key_may_come_any_way(
    pool: PoolOfTest, upstream: ScriptedUpstream, path: str, carrier: str
) -> None:
    pool.account("a", upstream.base_url())
    key = pool.key()
    headers = {
        "bearer": {"Authorization": f"Bearer {key}"},
        "basic": basic("", key),
        "x-api-key": {"x-api-key": key, "Authorization": "Bearer unused"},
        "x-bf-vk": {"x-bf-vk": key},
    }[carrier]

    assert pool.post(path, GPT, headers=headers).status_code == 200


class TestNames:
    @pytest.fixture
    def send_request(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> Any:
        for name, kind in (("east", "openai"), ("gpu", "compatible")):
            pool.account(name, upstream.base_url(name), kind=kind, protocols=("chat",))
        key = pool.key(models=("m", "meta/m", "openai/gpt"))

        def send_request(model: str) -> tuple[str, str]:
            response = pool.post(PATH, {**CHAT, "model": model}, key)
            assert response.status_code == 200, response.text
            seen = upstream.log()[-1]
            return seen.account, (seen.body or {})["model"]

        return send_request

    @pytest.mark.parametrize(
        ("model", "served"),
        [
            ("openai/m", ("east", "m")),
            ("compatible/m", ("gpu", "m")),
            ("gpu/m", ("gpu", "m")),
            ("east/m", ("east", "m")),
            ("gpu/openai/gpt", ("gpu", "openai/gpt")),
        ],
    )
    def test_a_provider_is_a_kind_or_an_account(
        self, send_request: Any, model: str, served: tuple[str, str]
    ) -> None:
        assert {send_request(model) for _ in range(3)} == {served}

    def test_a_name_alone_is_for_anybody(self, send_request: Any) -> None:
        assert {send_request("m")[0] for _ in range(4)} <= {"east", "gpu"}

    def test_an_unknown_prefix_is_part_of_the_model(self, send_request: Any) -> None:
        assert send_request("meta/m")[1] == "meta/m"

    def test_a_provider_that_is_not_there(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("gpu", upstream.base_url(), kind="compatible")

        assert pool.post(PATH, {**CHAT, "model": "openai/m"}, pool.key()).status_code == 404

    def test_fallbacks_are_named_alike(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("east", upstream.base_url("east"))
        pool.account("gpu", upstream.base_url("gpu"), kind="compatible")
        upstream.script({"play": "http_error", "status": 500}, account="east")

        body = {**CHAT, "model": "east/m", "fallbacks": ["gpu/n"]}
        response = pool.post(PATH, body, pool.key()).json()

        assert (response["extra_fields"]["model_requested"], response["model"]) == ("east/m", "n")
        assert pool.wait_for_rows(2)[1]["asked"] == "east/m"


class TestBodies:
    @pytest.mark.parametrize(
        ("change", "param"),
        [
            ({"temperature": 2.1}, "temperature"),
            ({"temperature": -0.1}, "temperature"),
            ({"presence_penalty": -2.1}, "presence_penalty"),
            ({"frequency_penalty": 3}, "frequency_penalty"),
            ({"reasoning_effort": "extreme"}, "reasoning_effort"),
            ({"reasoning": {"effort": "extreme"}}, "reasoning.effort"),
            ({"reasoning": {"max_tokens": -1}}, "reasoning.max_tokens"),
            ({"reasoning": {"effort": "low"}, "reasoning_effort": "low"}, "reasoning_effort"),
            ({"logit_bias": []}, "logit_bias"),
            ({"cache_control": "ephemeral"}, "cache_control"),
        ],
    )
    def test_what_is_refused(self, pool: PoolOfTest, change: Json, param: str) -> None:
        response = pool.post(PATH, {**GPT, **change}, pool.key())

        assert (response.status_code, response.json()["error"]["param"]) == (400, param)

    @pytest.mark.parametrize("wire", ["chat", "responses"])
    def test_reasoning_is_sent_in_the_accounts_format(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, wire: str
    ) -> None:
        pool.account("a", upstream.base_url(), protocols=(wire,))

        response = pool.post(PATH, {**GPT, "reasoning": {"effort": "high", "max_tokens": 9}}, pool.key())

        body = upstream.wait_for(1)[0].body or {}
        if wire == "chat":
            assert (body["reasoning_effort"], "reasoning" in body) == ("high", False)
        else:
            assert body["reasoning"] == {"effort": "high"}
        assert response.headers["x-poolgate-ignored"] == "reasoning"

    def test_a_compatible_account_receives_all_of_it(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url(), kind="compatible")

        pool.post(PATH, {**GPT, "reasoning": {"effort": "high", "max_tokens": 9}}, pool.key())

        body = upstream.wait_for(1)[0].body or {}
        assert (body["reasoning_effort"], body["reasoning"]) == ("high", {"max_tokens": 9})


class TestResponses:
    def test_a_complete_response_has_its_provider_and_cost(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "usage": {"input_tokens": 1000, "output_tokens": 100}})

        response = pool.post(PATH, {**GPT, "model": "openai/gpt-4.1"}, pool.key()).json()

        cost = response["usage"]["cost"]
        assert cost["total_cost"] == cost["input_tokens_cost"] + cost["output_tokens_cost"] > 0
        assert cost["request_cost"] == 0
        assert round(cost["total_cost"] * 1e6) == pool.wait_for_rows(1)[0]["cost"]
        reply = response["extra_fields"]
        assert (reply["request_type"], reply["provider"]) == ("chat_completion", "openai")
        assert (reply["model_requested"], reply["model_deployment"]) == ("openai/gpt-4.1", "gpt-4.1")
        assert reply["latency"] >= 0
        assert {"raw_request", "raw_response", "cache_debug", "chunk_index"}.isdisjoint(reply)

    def test_a_stream_reports_usage_unless_disabled(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        key = pool.key()

        reply = chunks_of(pool.post(PATH, {**GPT, "stream": True}, key).text)
        options = {"stream_options": {"include_usage": False}}
        without_usage = pool.post(PATH, {**GPT, "stream": True, **options}, key).text

        assert [chunk["extra_fields"]["chunk_index"] for chunk in reply] == list(range(len(reply)))
        assert {chunk["extra_fields"]["request_type"] for chunk in reply} == {"chat_completion_stream"}
        assert reply[-1]["usage"]["cost"]["total_cost"] > 0
        assert '"usage"' not in without_usage

    def test_a_model_without_a_price_has_no_cost(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())

        assert "cost" not in pool.post(PATH, CHAT, pool.key()).json()["usage"]

    @pytest.mark.parametrize("stream", [False, True])
    def test_the_thoughts_of_a_responses_account(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, stream: bool
    ) -> None:
        pool.account("a", upstream.base_url(), protocols=("responses",))
        upstream.script({"play": "reasoning", "summary": "Hm.", "text": "Yes."})

        response = pool.post(PATH, {**GPT, "stream": stream}, pool.key())

        if stream:
            deltas = [chunk["choices"][0]["delta"] for chunk in chunks_of(response.text) if chunk["choices"]]
            thoughts = "".join(delta.get("reasoning", "") for delta in deltas)
            details = [detail for delta in deltas for detail in delta.get("reasoning_details", ())]
        else:
            message = response.json()["choices"][0]["message"]
            thoughts, details = message["reasoning"], message["reasoning_details"]
        assert thoughts == "Hm."
        assert "".join(detail.get("summary", "") for detail in details) == "Hm."
        assert details[0]["type"] == "reasoning.summary"

    @pytest.mark.parametrize("stream", [False, True])
    def test_raw_is_for_permitted_keys(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, stream: bool
    ) -> None:
        pool.account("a", upstream.base_url())
        headers = {"x-bf-send-back-raw-request": "true", "x-bf-send-back-raw-response": "true"}
        body = {**GPT, "stream": stream}

        refused = pool.post(PATH, body, pool.key(), headers=headers)
        response = pool.post(PATH, body, pool.key("raw", raw=True), headers=headers)

        assert refused.status_code == 400
        reply = [
            chunk["extra_fields"] for chunk in (chunks_of(response.text) if stream else [response.json()])
        ]
        assert all(one["raw_request"] == upstream.log()[-1].body for one in reply)
        sent_text = [event for one in reply for event in one["raw_response"]["events"]]
        assert {event["object"] for event in sent_text} == {
            "chat.completion.chunk" if stream else "chat.completion"
        }


class TestResponsesGivenAgain:
    KEY = {"x-bf-cache-key": "s"}

    @pytest.fixture
    def send_request(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> Any:
        pool.account("a", upstream.base_url())
        upstream.script(*({"play": "text", "text": f"Answer {n}."} for n in range(9)))
        key = pool.key()

        def send_request(headers: Json, key: str = key, **change: Any) -> tuple[str, Json]:
            response = pool.post(PATH, {**GPT, **change}, key, headers=headers)
            assert response.status_code == 200, response.text
            if not change.get("stream"):
                body = response.json()
                return body["choices"][0]["message"]["content"], body["extra_fields"]
            chunks = chunks_of(response.text)
            assert response.text.endswith("data: [DONE]\n\n")
            text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
            return text, chunks[-1]["extra_fields"]

        return send_request

    def test_off_unless_requested(self, send_request: Any) -> None:
        assert [send_request({})[0] for _ in range(2)] == ["Answer 0.", "Answer 1."]

    @pytest.mark.parametrize("first", [False, True])
    @pytest.mark.parametrize("second", [False, True])
    def test_the_same_with_and_without_streaming(
        self, send_request: Any, pool: PoolOfTest, upstream: ScriptedUpstream, first: bool, second: bool
    ) -> None:
        one = send_request(self.KEY, stream=first)
        two = send_request(self.KEY, stream=second)

        assert one[0] == two[0] == "Answer 0."
        missed, hit = one[1]["cache_debug"], two[1]["cache_debug"]
        assert (missed["cache_hit"], "hit_type" in missed) == (False, False)
        assert hit == {"cache_hit": True, "cache_id": missed["cache_id"], "hit_type": "direct"}
        assert len(upstream.log()) == 1
        row = pool.wait_for_rows(2)[1]
        assert (row["source"], row["cost"], row["input_tokens"], row["output_tokens"]) == ("cache", 0, 0, 0)
        assert "unheld" not in row

    def test_it_is_the_keys_own(self, send_request: Any, pool: PoolOfTest) -> None:
        send_request(self.KEY)

        assert send_request(self.KEY, key=pool.key("other"))[0] == "Answer 1."
        assert send_request({"x-bf-cache-key": "t"})[0] == "Answer 2."
        assert send_request(self.KEY, temperature=0.5)[0] == "Answer 3."
        assert send_request(self.KEY)[0] == "Answer 0."

    def test_stored_responses_are_encrypted_and_expire(self, send_request: Any, pool: PoolOfTest) -> None:
        send_request({**self.KEY, "x-bf-cache-ttl": "1h"})

        client = pool.gateway.services.scripts.client
        (stored,) = client.scan_iter(f"pg:{{{pool.name}}}:ans:{'?' * 32}*")  # by digest
        assert "Answer" not in client.get(stored)
        assert 3500 < client.ttl(stored) <= 3600

    def test_it_counts_under_limits_on_requests(self, send_request: Any, pool: PoolOfTest) -> None:
        key = pool.key("limited")
        limit(pool, "3 requests/day")
        assert [send_request(self.KEY, key=key)[0] for _ in range(3)] == 3 * ["Answer 0."]

        refused = pool.post(PATH, GPT, key, headers=self.KEY)

        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert "requests" in refused.json()["error"]["message"]
        assert len(pool.wait_for_rows(3)) == 3
        assert (pool.open_leases(), pool.open_requests()) == (0, 0)

    def test_it_waits_for_no_token_limit(self, send_request: Any, pool: PoolOfTest) -> None:
        """It uses none: one that is spent has room for nothing else."""
        key = pool.key("limited")
        assert send_request(self.KEY, key=key)[0] == "Answer 0."
        limit(pool, "1 output_tokens/day balanced")
        assert pool.post(PATH, GPT, key).status_code == 429

        assert send_request(self.KEY, key=key)[0] == "Answer 0."

    def test_it_takes_a_place_of_those_at_once(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "text", "text": "Answer"}, {"before": [{"stall": True}]})
        key = pool.key("limited")
        limit(pool, "1 parallel_requests")
        assert pool.post(PATH, GPT, key, headers=self.KEY).status_code == 200
        pool.wait_for_rows(1)
        with begun(pool, PATH, GPT, key):
            upstream.wait_for(2)
            refused = pool.post(PATH, GPT, key, headers=self.KEY)

        assert refused.status_code == 429

    def test_nothing_is_stored_if_disabled(self, send_request: Any) -> None:
        send_request({**self.KEY, "x-bf-cache-no-store": "true"})

        assert send_request(self.KEY)[0] == "Answer 1."

    def test_a_failed_response_is_not_stored(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        cut = {"play": "error_in_stream", "text": "Half", "after": 1, "deltas": 2}
        upstream.script(cut, {"play": "text", "text": "Whole"})
        key = pool.key()

        pool.post(PATH, {**GPT, "stream": True}, key, headers=self.KEY)
        response = pool.post(PATH, GPT, key, headers=self.KEY).json()

        assert response["choices"][0]["message"]["content"] == "Whole"

    def test_a_threshold_is_for_answers_to_similar_questions(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url(), kind="compatible", protocols=("responses",))
        headers = {**self.KEY, "x-bf-cache-threshold": "0.8"}

        response = pool.post(PATH, {**GPT, "seed": 1}, pool.key(), headers=headers)

        assert response.headers["x-poolgate-ignored"] == "seed, x-bf-cache-threshold"

    @pytest.mark.parametrize(
        "header", [{"x-bf-cache-ttl": "soon"}, {"x-bf-cache-ttl": "25h"}, {"x-bf-cache-type": "semantic"}]
    )
    def test_invalid_cache_headers_are_refused(self, pool: PoolOfTest, header: dict[str, str]) -> None:
        response = pool.post(PATH, GPT, pool.key(), headers={**self.KEY, **header})

        assert (response.status_code, response.json()["error"]["param"]) == (400, next(iter(header)))

"""Endpoints whose requests pass through: the same keys, limits, ledger and failover as all others."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import requests

from app.limits.limit_syntax import parse_limit
from tests.service.test_common_rules import error_of
from tests.service.test_model_responses import events_of
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

JSON: dict[str, dict[str, Any]] = {
    "embeddings": {"model": "m", "input": ["Hello", "there"]},
    "moderations": {"model": "m", "input": "Hello"},
    "completions": {"model": "m", "prompt": "Once", "max_tokens": 3},
    "images/generations": {"model": "m", "prompt": "A cat"},
}
VECTORS = {"object": "list", "data": [], "usage": {"prompt_tokens": 4, "total_tokens": 4}}
SOUND = b"\x00\x01RIFF" * 1000
EMBED = "/v1/embeddings"


def sound_play(*more: Any) -> dict[str, Any]:
    half = {"send_b64": base64.b64encode(SOUND[:3000]).decode()}
    rest = {"send_b64": base64.b64encode(SOUND[3000:]).decode()}
    return {"headers": {"content-type": "audio/mpeg"}, "steps": [half, *more, rest]}


@pytest.mark.parametrize("endpoint", JSON)
class TestJson:
    def test_passes_both_ways_as_it_is(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
    ) -> None:
        pool.account("a", upstream.base_url())
        reply = {**VECTORS, "anything": {"else": [1]}}
        upstream.script({"play": "json", "body": reply}, path=f"/{endpoint}")
        body = {**JSON[endpoint], "unheard_of": 1}

        response = pool.post(f"/v1/{endpoint}", body, pool.key())

        assert (response.status_code, response.json()) == (200, reply)
        assert response.headers["x-poolgate-account"] == "a"
        (seen,) = upstream.log()
        assert seen.body == body
        (row,) = pool.wait_for_rows(1)
        assert (row["source"], row["input_tokens"], row["output_tokens"]) == ("upstream", 4, 0)
        assert (row["endpoint"], row["model"]) == (f"/v1/{endpoint}", "m")
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    def test_without_usage_it_is_estimated(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "json", "body": {"data": []}}, path=f"/{endpoint}")

        pool.post(f"/v1/{endpoint}", JSON[endpoint], pool.key())

        (row,) = pool.wait_for_rows(1)
        assert (row["source"], row["output_tokens"]) == ("estimated", 0)
        assert row["input_tokens"] > 0

    def test_only_accounts_that_offer_it(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
    ) -> None:
        key = pool.key()
        base_url = f"{upstream.root_url()}/backend-api"
        pool.account("signed in", base_url, kind="chatgpt", chatgpt_account_id="acc-1")
        missing = pool.post(f"/v1/{endpoint}", JSON[endpoint], key)
        pool.account("a", upstream.base_url("b"), models=("other",))
        unknown = pool.post(f"/v1/{endpoint}", JSON[endpoint], key)

        refusal = (missing.status_code, error_of(missing)["code"])
        if endpoint == "images/generations":  # which a ChatGPT account serves, but not with any model
            assert refusal == (404, "model_not_found")
        else:
            assert refusal == (501, "not_implemented")
        assert (unknown.status_code, error_of(unknown)["code"]) == (404, "model_not_found")
        assert upstream.log() == []


class TestFailover:
    def test_another_account_answers(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        for name in ("a", "b"):
            pool.account(name, upstream.base_url(name))
        upstream.script(
            {"play": "http_error", "status": 500}, {"play": "json", "body": VECTORS}, path="/embeddings"
        )

        assert pool.post(EMBED, JSON["embeddings"], pool.key()).json() == VECTORS
        assert {seen.account for seen in upstream.log()} == {"a", "b"}

    def test_a_server_without_the_endpoint_is_passed_over(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """And nothing is held against its account: it serves other requests well."""
        pool.set(policy="ordered")
        pool.account("a", upstream.base_url("a"), group=0)
        pool.account("b", upstream.base_url("b"), group=1)
        upstream.script({"play": "json", "body": VECTORS}, path="/embeddings", account="b")
        upstream.script({"play": "http_error", "status": 404}, path="/embeddings", account="a")

        assert pool.post(EMBED, JSON["embeddings"], pool.key()).json() == VECTORS
        assert [seen.account for seen in upstream.log()] == ["a", "b"]
        assert pool.states() == {"a": "active", "b": "active"}

    def test_no_account_has_it(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "http_error", "status": 404}, path="/embeddings")

        response = pool.post(EMBED, JSON["embeddings"], pool.key())

        assert (response.status_code, error_of(response)["code"]) == (404, "model_not_found")

    def test_a_broken_response_is_nobodys(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        for name in ("a", "b"):
            pool.account(name, upstream.base_url(name))
        broken = {
            "headers": {"content-type": "application/json"},
            "steps": [{"send": '{"data'}, {"reset": True}],
        }
        upstream.script(broken, {"play": "json", "body": VECTORS}, path="/embeddings")

        assert pool.post(EMBED, JSON["embeddings"], pool.key()).json() == VECTORS


class TestSound:
    BODY = {"model": "m", "input": "Hello", "voice": "alloy"}

    def test_passes_byte_for_byte(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        upstream.script(sound_play(), path="/audio/speech")

        response = pool.post("/v1/audio/speech", self.BODY, pool.key())

        assert (response.headers["content-type"], response.content) == ("audio/mpeg", SOUND)
        assert pool.wait_for_rows(1)[0]["status"] == 200

    def test_a_cut_is_no_end(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        upstream.script(sound_play({"reset": True}), path="/audio/speech")

        with pytest.raises(requests.RequestException):
            pool.post("/v1/audio/speech", self.BODY, pool.key())
        (row,) = pool.wait_for_rows(1)
        assert (row["status"], row["error"]) == (502, "stream_incomplete")

    def test_a_disconnected_client_is_settled(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        upstream.script(sound_play({"gate": "never"}), path="/audio/speech")

        response = pool.post("/v1/audio/speech", self.BODY, pool.key(), stream=True)
        assert response.raw.read(100)
        response.close()

        upstream.wait_for(1, path="/audio/speech", end="client_closed")
        assert pool.wait_for_rows(1)[0]["status"] == 499
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)


class TestStreams:
    BODY = {**JSON["completions"], "stream": True}
    CHUNK = 'data: {"choices":[{"text":" upon"}]}\n\n'
    USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\n'
    HEADERS = {"content-type": "text/event-stream"}

    def test_passes_event_by_event(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        sent = self.CHUNK + self.USAGE + "data: [DONE]\n\n"
        upstream.script({"headers": self.HEADERS, "steps": [{"send": sent, "by": 7}]}, path="/completions")

        response = pool.post("/v1/completions", self.BODY, pool.key())

        assert response.text == sent
        (row,) = pool.wait_for_rows(1)
        assert (row["source"], row["input_tokens"], row["output_tokens"]) == ("upstream", 1, 1)

    def test_one_that_just_stops_is_reported_as_cut(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"headers": self.HEADERS, "steps": [{"send": self.CHUNK}]}, path="/completions")

        events = events_of(pool.post("/v1/completions", self.BODY, pool.key()).text)

        assert (events[1]["error"]["code"], events[-1]) == ("stream_incomplete", "[DONE]")


class TestUploads:
    def send_request(self, pool: PoolOfTest, key: str, **fields: Any) -> requests.Response:
        return requests.post(
            f"{pool.gateway.url}/v1/audio/transcriptions",
            headers={"Authorization": f"Bearer {key}"},
            files={name: (None, value) for name, value in fields.items()} | {"file": ("a.wav", SOUND)},
            timeout=20,
        )

    def test_passes_as_it_came(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        reply = {"text": "Hello there", "usage": {"type": "duration", "seconds": 2}}
        upstream.script({"play": "json", "body": reply}, path="/audio/transcriptions")

        response = self.send_request(pool, pool.key(), model="m", language="en")

        assert (response.status_code, response.json()) == (200, reply)
        (seen,) = upstream.log()
        assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert seen.body_bytes > len(SOUND)
        (row,) = pool.wait_for_rows(1)
        assert (row["source"], row["output_tokens"]) == ("estimated", 3)

    def test_what_is_wrong_with_it_is_named(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        key = pool.key(models=("m",))

        nameless = self.send_request(pool, key)
        forbidden = self.send_request(pool, key, model="n")
        no_form = pool.post("/v1/audio/transcriptions", {"model": "m"}, key)

        assert (nameless.status_code, error_of(nameless)["param"]) == (400, "model")
        assert (forbidden.status_code, error_of(forbidden)["code"]) == (403, "model_not_allowed")
        assert no_form.status_code == 400
        assert upstream.log() == []


class TestLimits:
    def test_hold(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        upstream.script({"play": "json", "body": VECTORS}, path="/embeddings")
        key = pool.key(limits=(parse_limit("1 requests/ever"),))

        assert [pool.post(EMBED, JSON["embeddings"], key).status_code for _ in range(2)] == [200, 429]

    @pytest.mark.parametrize(
        ("body", "param"), [({"model": "m"}, "input"), ({"input": "Hi"}, "model"), ({"model": 1}, "model")]
    )
    def test_bodies_are_checked(self, pool: PoolOfTest, body: dict[str, Any], param: str) -> None:
        response = pool.post(EMBED, body, pool.key())

        assert (response.status_code, error_of(response)["param"]) == (400, param)


class TestAnUnlistedModel:
    def test_each_account_that_may_have_it_is_tried(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """Servers have models that they do not list: the 404 follows once each has refused it."""
        services = pool.gateway.services
        for name in ("a", "b"):
            account = pool.account(name, upstream.base_url(name), kind="compatible")
            fields = {"account": account.id, "fields": {"listed": '["other"]'}}
            services.scripts.run_raw("observe_account", pool.name, fields)
        pool.account("restricted", upstream.base_url("restricted"), kind="compatible", models=("other",))
        error = {"message": "The model does not exist", "code": "model_not_found"}
        upstream.script({"play": "http_error", "status": 404, "body": {"error": error}})
        body, key = {"model": "unlisted", "messages": [{"role": "user", "content": "Hi"}]}, pool.key()

        refused = [pool.post("/v1/chat/completions", body, key) for _ in range(2)]

        assert [(each.status_code, error_of(each)["code"]) for each in refused] == [
            (404, "model_not_found")
        ] * 2
        assert sorted(seen.account for seen in upstream.log()) == ["a", "b"], (
            "the second one tried no account"
        )
        pool.wait_for_rows(1)
        explanation = services.ledger.explainer.explain(
            pool.name, refused[0].headers["x-poolgate-request-id"]
        )
        outcomes = [tried["outcome"] for choice in explanation["choices"] for tried in choice["tries"]]
        assert len(outcomes) == 2
        assert all("does not have the model" in outcome for outcome in outcomes)

"""What holds for every endpoint: the order of checks, keys, encodings, request ids, addresses and pools."""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import requests
import zstandard

from app import create_app
from app.limits.limit_syntax import parse_limit
from tests.service.test_model_responses import BODIES, CHAT, PATHS, RESPONSES
from tests.support.gateway import PoolOfTest
from tests.support.raw_http import head, send
from tests.support.upstream_client import ScriptedUpstream

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
TAKEN = {
    PATHS["chat"]: ("POST", "OPTIONS"),
    PATHS["responses"]: ("POST", "OPTIONS"),
    "/v1/models": ("GET", "HEAD", "OPTIONS"),
    "/v1/models/m": ("GET", "HEAD", "OPTIONS"),
}
OPEN = {"/health", "/health/live", "/health/ready", "/health/startup", "/metrics"}  # for observers
OPEN |= {"/", "/docs", "/docs/<name>", "/docs/api", "/docs/search", "/docs/static/<path:filename>"}
OPEN |= {"/openapi.json", "/favicon.ico"}
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "WebSocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
UNKNOWN_KEY = "sk-pg-nowhere-" + "0" * 43


def error_of(response: requests.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json", response.text
    error: dict[str, Any] = response.json()["error"]
    return error


@pytest.mark.parametrize("endpoint", PATHS)
class TestOrderOfChecks:
    def test_one_fault_after_another(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
    ) -> None:
        """A request with several faults gets the first one; once that is fixed, the next."""
        path, key = PATHS[endpoint], pool.key(models=("m",), limits=(parse_limit("1 requests/ever"),))
        url, authorization = pool.gateway.url, {"Authorization": f"Bearer {key}"}
        complete = BODIES[endpoint]

        def reply(data: bytes, **headers: str) -> tuple[int, str]:
            length = {"Content_Length": str(len(data))}
            response = send(url, head("POST", path, **{**length, **headers}), data)
            return response.status, response.error()["code"]

        def body(**change: Any) -> bytes:
            return json.dumps({**complete, **change}).encode()

        too_long = str(2**40)
        assert reply(b"", Content_Encoding="br", Content_Length=too_long) == (413, "payload_too_large")
        assert reply(b"{", Content_Encoding="br") == (400, "invalid_request_error")
        assert reply(b"{", Authorization="Bearer nobody") == (401, "invalid_api_key")
        assert reply(b"{", **authorization) == (400, "invalid_request_error")
        assert reply(body(stream=1, model="n"), **authorization) == (400, "invalid_request_error")
        assert reply(body(model="n"), **authorization) == (403, "model_not_allowed")
        assert reply(body(), **authorization) == (503, "no_accounts")
        pool.account("a", upstream.base_url())
        assert pool.post(path, complete, key).status_code == 200
        pool.gateway.services.accounts.pause(pool.name, "a")
        assert reply(body(), **authorization) == (429, "rate_limit_exceeded")
        assert len(upstream.log()) == 1

    def test_a_body_that_is_too_long_is_not_waited_for(self, pool: PoolOfTest, endpoint: str) -> None:
        reply = head("POST", PATHS[endpoint], "Expect: 100-continue", Content_Length=str(2**40))

        assert send(pool.gateway.url, reply).error()["code"] == "payload_too_large"


class TestKeys:
    def test_every_blueprint_authenticates(self, pool: PoolOfTest) -> None:
        """Whatever address the service has, without a key it answers 401."""
        app = create_app(pool.gateway.services)
        requested = 0
        for rule in app.url_map.iter_rules():
            if rule.rule in OPEN:
                continue
            url = pool.gateway.url + re.sub("<[^>]+>", "x", rule.rule)
            headers = HANDSHAKE if rule.websocket else {}
            for method in rule.methods or ():
                response = requests.request(method, url, headers=headers, timeout=10)
                assert response.status_code == 401, (method, url, response.text)
                requested += 1
        assert requested > 5

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Bearer ",
            "Basic dXNlcjpwYXNz",
            "Bearer nonsense",
            "Bearer sk-pg-",
            f"Bearer {UNKNOWN_KEY}",
        ],
    )
    def test_no_key(self, pool: PoolOfTest, header: str) -> None:
        response = pool.post(PATHS["chat"], CHAT, headers={"Authorization": header})

        assert (response.status_code, response.headers["x-should-retry"]) == (401, "false")
        assert error_of(response)["type"] == "authentication_error"
        assert error_of(response)["code"] == "invalid_api_key"

    def test_the_causes_are_distinguished(self, pool: PoolOfTest) -> None:
        expired, disabled = pool.key("old", expires_at=time.time() - 1), pool.key("off")
        pool.gateway.services.api_keys.disable(pool.name, "off")
        presented = {"expired": expired, "disabled": disabled, "not known": UNKNOWN_KEY}

        for cause, key in presented.items():
            response = pool.get("/v1/models", key)
            assert response.status_code == 401
            assert cause in error_of(response)["message"]
            assert key not in response.text

    @pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
    def test_the_schemes_name_in_any_case(self, pool: PoolOfTest, scheme: str) -> None:
        headers = {"Authorization": f"{scheme} {pool.key()}"}

        assert requests.get(f"{pool.gateway.url}/v1/models", headers=headers, timeout=10).status_code == 200

    @pytest.mark.parametrize("endpoint", PATHS)
    def test_models_that_are_not_allowed(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str
    ) -> None:
        pool.account("a", upstream.base_url())
        key = pool.key(models=("m", "m2"))

        allowed = pool.post(PATHS[endpoint], {**BODIES[endpoint], "model": "m2"}, key)
        refused = pool.post(PATHS[endpoint], {**BODIES[endpoint], "model": "m3"}, key)

        assert (allowed.status_code, refused.status_code) == (200, 403)
        assert error_of(refused)["code"] == "model_not_allowed"
        assert len(upstream.log()) == 1

    def test_accounts_that_are_not_allowed(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        for name in ("a", "b", "c"):
            pool.account(name, upstream.base_url(name), models=("m", f"only-{name}"))
        key = pool.key(accounts=(pool.gateway.services.accounts.find(pool.name, "b").id,))

        served = {
            pool.post(PATHS["chat"], {**CHAT, "user": str(turn)}, key).headers["x-poolgate-account"]
            for turn in range(6)
        }

        assert served == {"b"}
        assert [model["id"] for model in pool.get("/v1/models", key).json()["data"]] == ["m", "only-b"]


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def frames(data: bytes) -> bytes:
    """Two zstd frames one after the other, as streaming packers leave them."""
    half = len(data) // 2
    return zstandard.compress(data[:half]) + zstandard.compress(data[half:])


PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", deflated),
    "zstd": ("zstd", zstandard.compress),
    "zstd in frames": ("zstd", frames),
    "with identity": ("identity, gzip", gzip.compress),
}


@pytest.mark.parametrize("endpoint", PATHS)
@pytest.mark.parametrize("name", PACKED)
def test_packed_bodies(pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, name: str) -> None:
    pool.account("a", upstream.base_url())
    encoding, pack = PACKED[name]
    headers = {
        "Authorization": f"Bearer {pool.key()}",
        "Content-Encoding": encoding,
        "Content-Type": "application/json",
    }

    data = pack(json.dumps(BODIES[endpoint]).encode())
    response = requests.post(pool.gateway.url + PATHS[endpoint], data=data, headers=headers, timeout=20)

    assert response.status_code == 200, response.text
    (seen,) = upstream.log()
    assert seen.body is not None
    assert "content-encoding" not in seen.headers


class TestRequestIds:
    @pytest.mark.parametrize("given", ["mine", "req_1.2-3/4:5", "x" * 128, "018f-[]{}'\"<>"])
    def test_an_acceptable_one_comes_back(self, pool: PoolOfTest, given: str) -> None:
        for name in ("x-request-id", "request-id"):
            response = requests.get(f"{pool.gateway.url}/v1/models", headers={name: given}, timeout=10)
            assert response.headers["x-request-id"] == given

    @pytest.mark.parametrize("given", ["", " ", "two words", "x" * 129, "tab\there", "caf\xe9", "x" * 9000])
    def test_any_other_is_replaced(self, pool: PoolOfTest, given: str) -> None:
        response = send(pool.gateway.url, head("GET", "/v1/models", X_Request_Id=given), method="GET")

        assert response.status == 401
        assert len(response.headers["x-request-id"]) == 36

    def test_every_response_has_one(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url())
        key = pool.key()
        responses = [
            pool.get("/health"),
            pool.get("/v1/nothing"),
            pool.get("/v1/chat/completions"),
            pool.get("/v1/models", key),
            pool.post(PATHS["chat"], {}, key),
            pool.post(PATHS["chat"], CHAT, key),
            pool.post(PATHS["responses"], {**RESPONSES, "stream": True}, key),
        ]

        ids = [response.headers["x-request-id"] for response in responses]
        assert all(ids)
        assert len(set(ids)) == len(ids)

    def test_the_clients_headers_are_not_forwarded(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        pool.account("a", upstream.base_url())
        private = {
            "Cookie": "c=1",
            "X-Forwarded-For": "10.0.0.1",
            "OpenAI-Organization": "org",
            "X-Mine": "1",
        }

        pool.post(PATHS["chat"], CHAT, pool.key(), headers=private)

        (seen,) = upstream.log()
        assert seen.headers.keys().isdisjoint(name.lower() for name in private)
        assert seen.headers["authorization"] == "Bearer sk-a"


class TestAddresses:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(
        "path",
        ["/v1", "/v1/", "/v1/nothing", "/v1/chat", "/v1/files", "/v1//models", "/v1/../v1", "/nothing"],
    )
    def test_what_is_not_there(self, pool: PoolOfTest, path: str, method: str) -> None:
        response = send(pool.gateway.url, head(method, path, Content_Length="0"), method=method)

        assert response.status == 404
        if method != "HEAD":
            assert response.error()["code"] == "not_found"
            assert response.error()["type"] == "invalid_request_error"

    @pytest.mark.parametrize(
        ("path", "method"),
        [(path, method) for path, taken in TAKEN.items() for method in METHODS if method not in taken],
    )
    def test_methods_that_are_not_taken(self, pool: PoolOfTest, path: str, method: str) -> None:
        reply = head(method, path, Authorization=f"Bearer {pool.key()}", Content_Length="0")

        response = send(pool.gateway.url, reply, method=method)

        assert response.status == 405
        if method != "HEAD":
            assert response.error()["code"] == "method_not_allowed"

    @pytest.mark.parametrize("endpoint", PATHS)
    def test_a_slash_at_the_end(self, pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str) -> None:
        pool.account("a", upstream.base_url())

        response = pool.post(f"{PATHS[endpoint]}/", BODIES[endpoint], pool.key(), allow_redirects=False)

        assert response.status_code == 200
        assert pool.wait_for_rows(1)[0]["endpoint"] == PATHS[endpoint]

    def test_a_slash_at_the_end_of_the_models(self, pool: PoolOfTest) -> None:
        assert pool.get("/v1/models/", pool.key()).json() == {"object": "list", "data": []}

    @pytest.mark.parametrize("path", ["/v1/responses", "/v1/responses/"])
    def test_unknown_web_sockets_are_refused_in_favour_of_http(self, pool: PoolOfTest, path: str) -> None:
        """Connections of the known version are accepted: see `test_websocket`."""
        other = {**HANDSHAKE, "Sec-WebSocket-Version": "14"}
        reply = head("GET", path, Authorization=f"Bearer {pool.key()}", **other)

        response = send(pool.gateway.url, reply, method="GET")

        assert (response.status, response.error()["code"]) == (426, "upgrade_refused")


class TestModels:
    def test_what_a_key_may_use(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """Only what is offered and allowed; a name that is merely allowed is not made up."""
        pool.account("a", upstream.base_url(), models=("m1", "m2"))
        pool.account("b", upstream.base_url(), models=("m2", "org/m3"), kind="compatible")
        key = pool.key(models=("m2", "org/m3", "m9"))

        models = pool.get("/v1/models", key).json()["data"]

        assert [model["id"] for model in models] == ["m2", "org/m3"]
        assert [model["owned_by"] for model in models] == ["openai", "compatible"]
        assert pool.get("/v1/models/org/m3", key).json() == models[1]
        assert pool.get("/v1/models/m1", key).status_code == 404
        assert error_of(pool.get("/v1/models/m9", key))["code"] == "model_not_found"

    def test_a_model_that_no_account_has(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        pool.account("a", upstream.base_url(), models=("m1",))

        response = pool.post(PATHS["chat"], CHAT, pool.key())

        assert response.status_code in (404, 503)
        assert upstream.log() == []


CONTENT = {"temperature": 0.5, "seed": 7, "presence_penalty": 0.5, "metadata": {"a": "b"}}
IGNORED = {
    "openai": [],
    "compatible, chat": [],
    "compatible, responses": ["presence_penalty", "seed"],
    "chatgpt": ["metadata", "presence_penalty", "seed", "temperature"],
}


@pytest.mark.parametrize("kind", IGNORED)
@pytest.mark.parametrize("stream", [False, True])
def test_fields_without_effect_are_named(
    pool: PoolOfTest, upstream: ScriptedUpstream, kind: str, stream: bool
) -> None:
    kind, _, wire = kind.partition(", ")
    base_url = f"{upstream.root_url()}/backend-api" if kind == "chatgpt" else upstream.base_url()
    more: dict[str, Any] = {"protocols": (wire,)} if wire else {}
    if kind == "chatgpt":
        more["chatgpt_account_id"] = "acc-1"
    pool.account("a", base_url, kind=kind, **more)

    response = pool.post(PATHS["chat"], {**CHAT, **CONTENT, "stream": stream}, pool.key())

    named = IGNORED[f"{kind}, {wire}" if wire else kind]
    assert sorted(response.headers.get("x-poolgate-ignored", "").split(", ")) == (named or [""])
    (seen,) = upstream.log()
    assert seen.body is not None
    assert seen.body.keys().isdisjoint(named)
    assert seen.body.keys() >= CONTENT.keys() - set(named)


class TestTwoPools:
    def test_they_do_not_see_each_other(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        other = pool.gateway.pool()
        pool.account("a", upstream.base_url("ours"), models=("m",))
        other.account("a", upstream.base_url("theirs"), models=("n",))
        own, theirs = pool.key(), other.key()

        assert pool.post(PATHS["chat"], CHAT, own).status_code == 200
        assert pool.post(PATHS["chat"], {**CHAT, "model": "n"}, theirs).status_code == 200

        assert {(seen.account, (seen.body or {})["model"]) for seen in upstream.log()} == {
            ("ours", "m"),
            ("theirs", "n"),
        }
        assert [model["id"] for model in pool.get("/v1/models", own).json()["data"]] == ["m"]
        assert [model["id"] for model in pool.get("/v1/models", theirs).json()["data"]] == ["n"]
        assert [row["model"] for row in pool.wait_for_rows(1)] == ["m"]
        assert [row["model"] for row in other.wait_for_rows(1)] == ["n"]

    def test_a_secret_is_of_no_use_under_another_pools_name(self, pool: PoolOfTest) -> None:
        other = pool.gateway.pool()
        forged = pool.key().replace(f"sk-pg-{pool.name}-", f"sk-pg-{other.name}-")

        assert pool.get("/v1/models", forged).status_code == 401

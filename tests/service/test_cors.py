"""Web pages and keys in headers of their own, through real HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest, running_gateway
from tests.support.upstream_client import ScriptedUpstream

PAGE = "https://app.example.com"
ALLOWED = "Access-Control-Allow-Origin"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


def readable(response: requests.Response, origin: str = "*") -> bool:
    """Whether a page may read *response* and our headers in it."""
    exposed = response.headers.get("Access-Control-Expose-Headers", "").split(", ")
    return response.headers.get(ALLOWED) == origin and {"x-request-id", "x-poolgate-account"} <= set(exposed)


@pytest.mark.parametrize("endpoint", PATHS)
def test_response_stream_and_error(pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str) -> None:
    """After a preflight without a key a page reads whatever comes: a response, a stream, a failure."""
    pool.account("a", upstream.base_url("a"), protocols=("chat", "responses"))
    key = pool.key()
    url, body = pool.gateway.url + PATHS[endpoint], BODIES[endpoint]
    headers = {"Origin": PAGE}

    preflight = requests.options(url, headers=PREFLIGHT, timeout=10)
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert preflight.headers[ALLOWED] == "*"
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization,content-type"

    complete = pool.post(PATHS[endpoint], body, key, headers=headers)
    streamed = pool.post(PATHS[endpoint], {**body, "stream": True}, key, headers=headers)
    assert (complete.status_code, streamed.status_code) == (200, 200)
    assert readable(complete)
    assert readable(streamed)

    upstream.script({"play": "http_error", "status": 400})
    assert readable(pool.post(PATHS[endpoint], body, key, headers=headers))
    assert readable(pool.post(PATHS[endpoint], body, "sk-pg-unknown", headers=headers))


def test_neither_pages_of_operators_nor_observers(pool: PoolOfTest) -> None:
    for path in ("/admin", "/admin/api/pools", "/health", "/metrics"):
        url = pool.gateway.url + path
        responses = (
            requests.options(url, headers=PREFLIGHT, timeout=10),
            requests.get(url, headers={"Origin": PAGE}, timeout=10),
        )
        assert not [
            each for response in responses for each in response.headers if each.startswith("Access-")
        ], path


def test_restricted(redis_url: str, tmp_path: Path) -> None:
    with running_gateway(redis_url, tmp_path, workers=1, POOLGATE_CORS_ORIGINS=PAGE) as gateway:
        url = f"{gateway.url}/v1/models"
        own = requests.get(url, headers={"Origin": PAGE}, timeout=10)
        other = requests.get(url, headers={"Origin": "https://evil.test"}, timeout=10)

    assert readable(own, PAGE)
    assert ALLOWED not in other.headers
    assert own.headers["Vary"] == other.headers["Vary"] == "Origin"


@pytest.mark.parametrize("header", ["x-api-key", "api-key", "x-bf-vk"])
@pytest.mark.parametrize("endpoint", PATHS)
def test_key_in_a_header_of_its_own(
    pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, header: str
) -> None:
    """The key is accepted, and no account receives it."""
    pool.account("a", upstream.base_url("a"), protocols=("chat", "responses"))
    key = pool.key()

    response = pool.post(PATHS[endpoint], BODIES[endpoint], headers={header: key})

    assert response.status_code == 200
    (seen,) = upstream.log()
    assert seen.headers["authorization"] == "Bearer sk-a"
    assert key not in str(seen.headers)
    assert header not in {name.lower() for name in seen.headers}

"""A redirect is never followed, and is reported at once as what it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.test_common_rules import error_of
from tests.service.test_model_responses import PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": (PATHS["chat"], {"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
    "responses": (PATHS["responses"], {"model": "m", "input": "hi"}),
    "pass-through": ("/v1/embeddings", {"model": "m", "input": "hi"}),
}


def redirect(status: int) -> dict[str, Any]:
    return {"status": status, "framing": "length", "headers": {"location": "http://127.0.0.1:1/elsewhere"}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("endpoint", REQUESTS)
def test_the_caller_receives_the_cause_after_one_attempt(
    pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, status: int, stream: bool
) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(redirect(status))
    upstream.script(redirect(status), path="/embeddings")
    path, body = REQUESTS[endpoint]

    response = pool.post(path, body | ({"stream": True} if stream else {}), pool.key())

    assert (response.status_code, error_of(response)["code"]) == (502, "upstream_redirected")
    assert "redirected to another address" in error_of(response)["message"]
    assert len(upstream.log()) == 1


def test_another_account_answers(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.set(policy="ordered")
    pool.account("a", upstream.base_url("a"), group=0)
    pool.account("b", upstream.base_url("b"), group=1)
    upstream.script(redirect(302), account="a")

    response = pool.post(*REQUESTS["chat"], pool.key())

    assert (response.status_code, response.headers["x-poolgate-account"]) == (200, "b")
    assert [seen.account for seen in upstream.log()] == ["a", "b"]

"""What a key may use and what its limits count is what the upstream reads, by whatever name it is sent."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

JSON_BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "x"}]},
    "/v1/responses": {"input": "x"},
    "/backend-api/codex/responses": {"input": [], "instructions": "x", "stream": True, "store": False},
    "/openai/v1/chat/completions": {"messages": [{"role": "user", "content": "x"}]},
    "/v1/embeddings": {"input": "x"},
    "/v1/completions": {"prompt": "x"},
    "/v1/images/generations": {"prompt": "x"},
    "/v1/moderations": {"input": "x"},
    "/v1/audio/speech": {"input": "x"},
}
OTHERS: dict[str, Any] = {
    "MODEL": "dear",
    "models": ["dear"],
    "route": "fallback",
    "Max_Completion_Tokens": 5000,
    "n_predict": 5000,
    "N": 100,
    "Service_Tier": "priority",
}


@pytest.fixture
def key(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    pool.account("a", upstream.base_url(), kind="compatible", protocols=("chat", "responses"))
    for path in ("embeddings", "images/generations", "moderations", "audio/speech", "images/edits"):
        upstream.script({"play": "json", "body": {"data": []}}, path=f"/{path}")
    return pool.key(models=["cheap"])


@pytest.mark.parametrize("path", JSON_BODIES)
def test_json(pool: PoolOfTest, upstream: ScriptedUpstream, key: str, path: str) -> None:
    body = {"model": "cheap", **JSON_BODIES[path], **OTHERS, "options": {"num_predict": 9, "num_ctx": 9}}

    if path == "/v1/completions":
        upstream.script({"play": "json", "body": {"choices": []}}, path="/v1/completions")

    response = pool.post(path, body, key)

    (seen,) = upstream.log()
    sent = seen.body or {}
    assert response.status_code == 200, response.text
    assert sent["model"] == "cheap"
    assert not set(OTHERS) & set(sent)
    assert sent.get("options") in (None, {"num_ctx": 9})
    ignored = response.headers["x-poolgate-ignored"].split(", ")
    assert set(ignored) >= {*OTHERS, "options.num_predict"}


def test_repeated_field(pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
    """The last one counts, here and at the upstream: no parser has a choice."""
    for first, last, status in (("dear", "cheap", 200), ("cheap", "dear", 403)):
        text = f'{{"model": "{first}", "model": "{last}", "messages": [{{"role": "user", "content": "x"}}]}}'
        response = requests.post(
            f"{pool.gateway.url}/v1/chat/completions",
            data=text,
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            timeout=20,
        )
        assert response.status_code == status, response.text

    (seen,) = upstream.log()
    assert (seen.body or {})["model"] == "cheap"


def test_form(pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
    fields = {"model": "cheap", "prompt": "x", "models": "dear", "N": "100", "n[]": "5"}

    response = requests.post(
        f"{pool.gateway.url}/v1/images/edits",
        data=fields,
        files={"image": ("a.png", b"PNG"), "Mask": ("secret.png", b"MASK")},
        headers={"Authorization": f"Bearer {key}"},
        timeout=20,
    )

    assert response.status_code == 200, response.text
    assert set(response.headers["x-poolgate-ignored"].split(", ")) == {"models", "N", "n", "Mask"}

"""Accounts of Azure OpenAI, served as accounts of OpenAI are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.test_model_responses import CHAT
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

RESPONSES = {"model": "m", "input": "hi"}


@pytest.fixture
def key(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    """A pool with an Azure account, and a ChatGPT sign-in that some requests do not fit."""
    pool.account("eu", upstream.base_url("eu"), kind="azure")
    pool.account("ann", upstream.root_url("ann"), kind="chatgpt", chatgpt_account_id="acc-1")
    return pool.key()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {**CHAT, "n": 2}),
        ("/v1/responses", {**RESPONSES, "background": True}),
        ("/v1/embeddings", {"model": "m", "input": "hi"}),
        ("/openai/v1/chat/completions", {**CHAT, "model": "azure/m"}),
        ("/openai/v1/chat/completions", {**CHAT, "model": "eu/m"}),
    ],
)
def test_served_by_azure(
    pool: PoolOfTest, upstream: ScriptedUpstream, key: str, path: str, body: dict[str, Any]
) -> None:
    """What the sign-in cannot do, and what names the account or its kind, goes to Azure alone."""
    embeddings = {"play": "json", "body": {"object": "list", "data": []}}
    upstream.script(embeddings, account="eu", path="/embeddings")
    for _ in range(3):
        assert pool.post(path, body, key).status_code == 200

    seen = upstream.log("eu")
    assert len(seen) == 3
    assert upstream.log("ann") == []
    assert all(one.headers["api-key"] == "sk-eu" and "authorization" not in one.headers for one in seen)

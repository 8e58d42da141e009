"""Settings of the requests that one account is sent: they take effect on the next request."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.account import Account
from app.stores.records.audit import Actor, Via
from schemas.accounts import AccountInput
from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream


def change(pool: PoolOfTest, fields: dict[str, Any], *, credential: str = "") -> Account:
    """Change account `a` as an operator does."""
    changes = AccountInput().load(fields, partial=True)
    operations = pool.gateway.services.operations(Actor("tests", Via.CLI))
    return operations.accounts.change(pool.name, "a", changes, credential=credential)


@pytest.fixture
def key(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    pool.account("a", upstream.base_url())
    return pool.key()


def send(pool: PoolOfTest, upstream: ScriptedUpstream, key: str, protocol: str = "chat", **more: Any) -> Any:
    """Send a request that is answered; return what the upstream received."""
    before = len(upstream.log())
    response = pool.post(PATHS[protocol], BODIES[protocol] | more, key)
    assert response.status_code == 200, response.text
    return upstream.wait_for(before + 1)[-1]


class TestHeaders:
    def test_added_and_removed_while_serving(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        assert "x-tenant" not in send(pool, upstream, key).headers

        change(pool, {"headers": {"X-Tenant": "lab 7"}, "secret_headers": {"X-Token": "t-secret"}})
        seen = send(pool, upstream, key).headers
        assert (seen["x-tenant"], seen["x-token"]) == ("lab 7", "t-secret")
        assert seen["authorization"] == "Bearer sk-a"

        change(pool, {"headers": {"x-tenant": None}, "secret_headers": {"X-Token": None}})
        assert not {"x-tenant", "x-token"} & send(pool, upstream, key).headers.keys()

    def test_they_replace_those_of_the_gateway(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        change(pool, {"headers": {"user-agent": "mine"}, "secret_headers": {"authorization": "Basic eDp5"}})

        seen = send(pool, upstream, key).headers

        assert (seen["user-agent"], seen["authorization"]) == ("mine", "Basic eDp5")

    def test_pass_through_endpoints_have_them(
        self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str
    ) -> None:
        change(pool, {"headers": {"X-Tenant": "lab"}})
        upstream.script({"play": "json", "body": {"object": "list", "data": []}}, path="/embeddings")

        pool.post("/v1/embeddings", {"model": "m", "input": "hi"}, key)

        assert upstream.log()[-1].headers["x-tenant"] == "lab"

    def test_one_of_the_client_does_not_replace_them(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        """The headers of Codex pass to ChatGPT accounts, but not instead of what the operator set."""
        pool.account("a", f"{upstream.root_url()}/backend-api", kind="chatgpt", chatgpt_account_id="acc-1")
        change(pool, {"headers": {"User-Agent": "mine"}})

        pool.post(PATHS["responses"], BODIES["responses"], pool.key(), headers={"user-agent": "codex/1"})

        assert upstream.wait_for(1)[0].headers["user-agent"] == "mine"


class TestAuthHeader:
    def test_holds_the_key(self, pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
        change(pool, {"auth_header": "api-key"})
        seen = send(pool, upstream, key).headers
        assert seen["api-key"] == "sk-a"
        assert "authorization" not in seen

        change(pool, {"auth_header": "Authorization"})
        assert send(pool, upstream, key).headers["authorization"] == "Bearer sk-a"

        change(pool, {"auth_header": ""})
        assert send(pool, upstream, key).headers["authorization"] == "Bearer sk-a"


def test_a_replaced_key(pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
    """The next request has it, and what else was set stays."""
    change(pool, {"secret_headers": {"X-Token": "t-secret"}})

    change(pool, {}, credential="sk-newer")

    seen = send(pool, upstream, key).headers
    assert (seen["authorization"], seen["x-token"]) == ("Bearer sk-newer", "t-secret")

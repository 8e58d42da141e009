"""A credential that was encrypted with another secret key is a fault of its account, never a 500."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from app.limits.limit_syntax import parse_limit
from app.operations import check_pools
from app.stores import keys
from tests.service.test_model_responses import BODIES, PATHS
from tests.service.test_refusals import recorded
from tests.service.test_verdicts import WELL
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

REQUESTS = {name: (PATHS[name], {**BODIES[name], "model": "m"}) for name in ("chat", "responses")}
REQUESTS["embeddings"] = ("/v1/embeddings", {"model": "m", "input": "Hello"})


@pytest.fixture
def key(pool: PoolOfTest, upstream: ScriptedUpstream) -> str:
    """A key of a pool whose account `bad` goes first, and `good` serves."""
    pool.set(policy="ordered")
    upstream.script(WELL)
    upstream.script({"play": "json", "body": {"data": [], "usage": {"prompt_tokens": 1}}}, path="/embeddings")
    pool.account("good", upstream.base_url("good"), group=1)
    seal(pool, pool.account("bad", upstream.base_url("bad"), group=0).id)
    return pool.key()


def seal(pool: PoolOfTest, account_id: str) -> None:
    """Encrypt the credential of an account with a key that the gateway does not have."""
    sealed = Fernet(Fernet.generate_key()).encrypt(b"sk").decode()
    client: Any = pool.gateway.services.scripts.client
    client.hset(keys.account(pool.name, account_id), "credential", sealed)


def attempted(pool: PoolOfTest) -> list[list[Any]]:
    return [row.get("attempts", []) for row in pool.rows()]


@pytest.mark.parametrize("endpoint", REQUESTS)
def test_another_account_serves(
    pool: PoolOfTest, upstream: ScriptedUpstream, key: str, endpoint: str
) -> None:
    """It stays active, since other processes may have the key; the checks report the remedy."""
    path, body = REQUESTS[endpoint]

    responses = [pool.post(path, body, key) for _ in range(6)]

    assert [each.status_code for each in responses] == [200] * 6
    assert {each.headers["x-poolgate-account"] for each in responses} == {"good"}
    assert upstream.log("bad") == []
    pool.wait_for_rows(6)
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)
    assert pool.states() == {"bad": "active", "good": "active"}
    found = check_pools.check_pools(pool.gateway.services.doctor._stores, pool.name)
    assert "its credential was encrypted with another key" in [each.what for each in found]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("endpoint", REQUESTS)
def test_no_other_account_is_left(pool: PoolOfTest, key: str, endpoint: str, stream: bool) -> None:
    """The caller learns at once what an operator has to do, the first time and each time after."""
    services = pool.gateway.services
    seal(pool, services.accounts.find(pool.name, "good").id)
    path, body = REQUESTS[endpoint]
    body = {**body, "stream": True} if stream and endpoint != "embeddings" else body

    responses = [pool.post(path, body, key) for _ in range(6)]

    assert [each.status_code for each in responses] == [503] * 6
    error = responses[0].json()["error"]
    assert error["code"] == "credential_unreadable"
    assert "cannot be read" in error["message"]
    assert "POOLGATE_SECRET_KEYS" in error["message"]
    assert (pool.open_leases(), pool.open_requests(), pool.in_flight()) == (0, 0, 0)
    assert len({each.text for each in responses}) == 1


def test_every_request_is_a_refusal(pool: PoolOfTest, key: str) -> None:
    """Also the first, by which a process learns of it: it costs nothing, not even of a limit on requests."""
    services = pool.gateway.services
    seal(pool, services.accounts.find(pool.name, "good").id)
    texts = ("1 requests/day", "1 requests/minute", "1 parallel_requests")
    limited = pool.key("limited", limits=map(parse_limit, texts))
    path, body = REQUESTS["chat"]

    responses = [pool.post(path, body, limited) for _ in range(4)]

    assert {each.json()["error"]["code"] for each in responses} == {"credential_unreadable"}
    for response in responses:
        assert recorded(pool, response).entry.row["error"] == "credential_unreadable"
    assert pool.rows() == []


def test_an_account_that_refuses_as_well(pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> None:
    """A failover meets it: it is skipped, and the upstream's error is the response."""
    pool.account("ugly", upstream.base_url("ugly"), group=-1)
    error = {"error": {"message": "No.", "code": "server_error"}}
    upstream.script({"play": "http_error", "status": 500, "body": error}, account="ugly")
    path, body = REQUESTS["chat"]

    response = pool.post(path, body, key)

    assert (response.status_code, response.headers["x-poolgate-account"]) == (200, "good")
    assert [len(each) for each in attempted(pool)] == [2]

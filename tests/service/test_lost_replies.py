"""A reply of Redis is lost after the script has run: the refused request holds nothing, and costs nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.redis import short_folder
from tests.support.redis_proxy import RedisProxy, redis_proxy
from tests.support.redis_server import RedisServer
from tests.support.upstream_client import ScriptedUpstream

CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 50}
PATH = "/v1/chat/completions"
FAST = {"POOLGATE_STORE_TIMEOUT_MS": "1500"}  # each lost reply takes this long
SOON_SECONDS = 15.0  # less than a lease, which ends after 30
LIMITS = [
    {"id": "day", "what": "output_tokens", "per": "day", "max": 60, "mode": "strict"},
    {"id": "parallel", "what": "parallel_requests", "per": "none", "max": 1, "mode": "strict"},
]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with short_folder() as folder:
        server = RedisServer(folder)
        yield server
        server.stop()


@pytest.fixture(scope="module")
def behind(
    server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, RedisProxy]]:
    with (
        redis_proxy(server.socket, server.socket.parent) as (url, proxy),
        running_gateway(url, tmp_path_factory.mktemp("home"), workers=1, **FAST) as gateway,
    ):
        yield gateway, proxy


@pytest.fixture
def proxy(behind: tuple[Gateway, RedisProxy]) -> RedisProxy:
    return behind[1]


@pytest.fixture
def pool(behind: tuple[Gateway, RedisProxy], upstream: ScriptedUpstream) -> PoolOfTest:
    """A pool with one account, which has one slot; every script of a request is known to Redis."""
    pool = behind[0].pool()
    pool.account("a", upstream.base_url(), cap=1)
    assert pool.post(PATH, CHAT, pool.key("first"), headers={"Idempotency-Key": "first"}).ok
    assert len(pool.wait_for_rows(1)) == 1
    return pool


def has_room(pool: PoolOfTest, key: str) -> bool:
    return pool.post(PATH, CHAT, key).status_code == 200


@pytest.mark.parametrize("fields", [{}, {"stream": True}])
def test_an_admission(pool: PoolOfTest, proxy: RedisProxy, fields: dict[str, bool]) -> None:
    """Its slot and its reservations, which leave no room, are free as soon as Redis answers."""
    key = pool.key(limits=LIMITS)
    proxy.lose("admit")

    refused = pool.post(PATH, CHAT | fields, key)

    assert proxy.has_lost.is_set()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
    assert eventually(lambda: (pool.open_leases(), pool.in_flight()) == (0, 0), SOON_SECONDS)
    assert has_room(pool, key)
    _, answered = pool.wait_for_rows(2)
    assert (answered["status"], answered["source"]) == (200, "upstream")
    assert len(pool.rows()) == 2


def test_a_claim_on_an_idempotency_key(pool: PoolOfTest, proxy: RedisProxy) -> None:
    """The same request, sent again, is not refused until the claim expires."""
    key, headers = pool.key(), {"Idempotency-Key": "again"}
    proxy.lose("claim_recording")

    assert pool.post(PATH, CHAT, key, headers=headers).status_code == 503

    assert proxy.has_lost.is_set()
    assert eventually(lambda: pool.post(PATH, CHAT, key, headers=headers).status_code == 200, SOON_SECONDS)


def test_the_selection_of_another_account(
    pool: PoolOfTest, proxy: RedisProxy, upstream: ScriptedUpstream
) -> None:
    """The request ends with the failure of the first account, and the second is free again."""
    pool.account("b", upstream.base_url(), cap=1)
    key = pool.key()
    upstream.script({"play": "http_error", "status": 500}, {"play": "text", "text": "x"})
    assert pool.post(PATH, CHAT, key).status_code == 200  # so that Redis knows the script `report`
    upstream.script({"play": "http_error", "status": 500})
    proxy.lose("report")

    response = pool.post(PATH, CHAT, key)

    assert proxy.has_lost.is_set()
    assert response.status_code == 500
    row = pool.wait_for_rows(3)[-1]
    assert (row["output_tokens"], row["stopped"]) == (0, "store")
    assert eventually(lambda: (pool.open_leases(), pool.in_flight()) == (0, 0), SOON_SECONDS)

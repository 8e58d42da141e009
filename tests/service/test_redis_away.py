"""
While Redis is away nothing is admitted, and clients are refused at once; running requests continue.

Each test takes the one Redis of this module away and gives it back.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.service.test_model_responses import BODIES, PATHS, events_of
from tests.support.gateway import AS_SHIPPED, Gateway, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.redis import short_folder
from tests.support.redis_server import RedisServer
from tests.support.upstream_client import ScriptedUpstream

AT_ONCE_SECONDS = 10.0  # it is 0.25 on an idle machine; Redis is away for as long as the test lets it
RED_SECONDS, GREEN_SECONDS = 10, 20
WITH_A_GATE = {"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}}
STREAM = {**BODIES["chat"], "stream": True}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with short_folder() as folder:
        server = RedisServer(folder)
        yield server
        server.stop()


@pytest.fixture(scope="module")
def gateway(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(server.url, tmp_path_factory.mktemp("home"), workers=1, **AS_SHIPPED) as running:
        yield running


@pytest.fixture
def pool(gateway: Gateway) -> PoolOfTest:
    return gateway.pool()


def freeze(server: RedisServer) -> Callable[[], None]:
    server.freeze()
    return server.thaw


def kill(server: RedisServer) -> Callable[[], None]:
    server.stop()
    return server.start  # with an empty script cache


def fill_up(server: RedisServer) -> Callable[[], None]:
    return _configured(server, lambda client: client.config_set("maxmemory", 1), maxmemory=0)


def make_replica(server: RedisServer) -> Callable[[], None]:
    """As after a failover that we have not heard of: it reads, and refuses to write."""

    def end() -> None:
        with closing(server.client()) as client:
            client.execute_command("REPLICAOF", "NO", "ONE")

    with closing(server.client()) as client:
        client.config_set("replica-serve-stale-data", "yes")
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
    return end


def _configured(server: RedisServer, change: Callable[[Any], object], **back: int) -> Callable[[], None]:
    def end() -> None:
        with closing(server.client()) as client:
            for name, value in back.items():
                client.config_set(name, value)

    with closing(server.client()) as client:
        change(client)
    return end


WAYS = [freeze, kill, fill_up, make_replica]


def is_ready(gateway: Gateway) -> bool:
    return requests.get(gateway.url + "/health/ready", timeout=10).ok


@pytest.mark.parametrize("away", [freeze, kill, make_replica])
def test_requests_are_refused_at_once_until_it_is_back(
    server: RedisServer, pool: PoolOfTest, upstream: ScriptedUpstream, away: Callable[..., Callable[[], None]]
) -> None:
    pool.account("a", upstream.base_url())
    key = pool.key()
    assert pool.post(PATHS["chat"], BODIES["chat"], key).status_code == 200

    give_back = away(server)
    try:
        begun = time.monotonic()
        response = pool.post(PATHS["chat"], BODIES["chat"], key)
        took = time.monotonic() - begun
        assert eventually(lambda: not is_ready(pool.gateway), RED_SECONDS)
        assert requests.get(pool.gateway.url + "/health/live", timeout=AT_ONCE_SECONDS).ok
        assert "poolgate_store_up 0.0" in requests.get(pool.gateway.url + "/metrics", timeout=30).text
    finally:
        give_back()

    assert (response.status_code, response.json()["error"]["code"]) == (503, "store_unavailable")
    assert response.headers["Retry-After"] == "1"
    assert took < AT_ONCE_SECONDS
    assert eventually(lambda: is_ready(pool.gateway), GREEN_SECONDS)
    assert pool.post(PATHS["chat"], BODIES["chat"], key).status_code == 200
    assert len(upstream.log()) == 2


def test_a_full_redis_admits_complete_requests_or_none(
    server: RedisServer, pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    """It refuses a script whose first write needs memory, and lets one that has begun to write finish."""
    pool.account("a", upstream.base_url())
    key = pool.key()

    give_back = fill_up(server)
    try:
        responses = [pool.post(PATHS["chat"], BODIES["chat"], key) for _ in range(5)]
        assert eventually(lambda: not is_ready(pool.gateway), RED_SECONDS)
    finally:
        give_back()

    served = [response for response in responses if response.ok]
    assert {response.json()["error"]["code"] for response in responses if not response.ok} <= {
        "store_unavailable"
    }
    assert eventually(lambda: is_ready(pool.gateway), GREEN_SECONDS)
    assert len(upstream.log()) == len(served) == len(pool.wait_for_rows(len(served)))
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


@pytest.mark.parametrize("away", [freeze, kill])
def test_refusals_are_counted_when_it_is_back(
    server: RedisServer, pool: PoolOfTest, upstream: ScriptedUpstream, away: Callable[..., Callable[[], None]]
) -> None:
    """Each once, although writes may be late; also of a key that this worker has not read before."""
    pool.account("a", upstream.base_url())
    key, unread = pool.key(), pool.key("unread")
    assert pool.post(PATHS["chat"], BODIES["chat"], key).status_code == 200

    give_back = away(server)
    try:
        responses = [pool.post(PATHS["chat"], BODIES["chat"], one) for one in (key, unread) * 8]
    finally:
        give_back()
    assert {response.status_code for response in responses} == {503}

    assert eventually(lambda: is_ready(pool.gateway), GREEN_SECONDS)
    services = pool.gateway.services
    for name in ("k", "unread"):
        key_id = services.api_keys.find(pool.name, name).id
        assert eventually(
            lambda key_id=key_id: (
                services.ledger.refusals.counts(pool.name, "24h").by_code(key_id)
                == [("store_unavailable", 8)]
            ),
            GREEN_SECONDS,
        )


@pytest.mark.parametrize("away", WAYS)
@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_a_running_stream_goes_on_and_is_settled_once(
    server: RedisServer,
    pool: PoolOfTest,
    upstream: ScriptedUpstream,
    endpoint: str,
    away: Callable[..., Callable[[], None]],
) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(WITH_A_GATE)
    body = {**BODIES[endpoint], "stream": True}
    with pool.post(PATHS[endpoint], body, pool.key(), stream=True) as response:
        upstream.wait_for(gate="go")
        give_back = away(server)
        try:
            upstream.release("go")
            events = events_of(response.text)
        finally:
            give_back()

    assert events[-1] == "[DONE]" or events[-1]["type"] == "response.completed"
    (row,) = pool.wait_for_rows(1)
    assert (row["status"], row["source"]) == (200, "upstream")
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_a_limit_is_not_overshot_by_a_redis_that_comes_and_goes(
    server: RedisServer, pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.account("a", upstream.base_url())
    key = pool.key(limits=[{"id": "n", "what": "requests", "per": "day", "max": 5, "mode": "strict"}])
    statuses = []
    for number in range(12):
        if number in (2, 5):
            kill(server)()
        if number in (3, 7):
            give_back = freeze(server)
            statuses.append(pool.post(PATHS["chat"], BODIES["chat"], key).status_code)
            give_back()
        eventually(lambda: is_ready(pool.gateway), GREEN_SECONDS)
        statuses.append(pool.post(PATHS["chat"], BODIES["chat"], key).status_code)

    assert statuses.count(503) == 2
    assert statuses.count(200) == len(upstream.log()) == 5
    assert len(pool.wait_for_rows(5)) == 5


def test_what_a_stopped_worker_could_not_settle_the_next_one_does(
    server: RedisServer, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    upstream.script(WITH_A_GATE)
    with running_gateway(server.url, tmp_path, workers=1, **AS_SHIPPED) as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        with pool.post(PATHS["chat"], STREAM, pool.key(), stream=True) as response:
            upstream.wait_for(gate="go")
            server.stop()
            upstream.release("go")
            assert response.text.endswith("data: [DONE]\n\n")
    server.start()
    (spooled,) = (tmp_path / "spool").iterdir()
    assert stat.S_IMODE(spooled.stat().st_mode) == 0o600
    assert pool.rows() == []

    with running_gateway(server.url, tmp_path, workers=2, **AS_SHIPPED):
        (row,) = pool.wait_for_rows(1)
        assert eventually(lambda: not list((tmp_path / "spool").iterdir()))

    assert (row["status"], row["source"]) == (200, "upstream")
    assert len(pool.rows()) == 1
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)

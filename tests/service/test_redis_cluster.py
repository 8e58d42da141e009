"""The service on Redis Cluster and behind Sentinel, made of Debian's redis-server where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis.crc import key_slot

from app.config import Settings
from app.errors import StoreUnavailable
from app.stores import keys
from app.wiring import build
from tests.service.test_model_responses import BODIES, PATHS
from tests.support.cluster import node_of, running_cluster, server
from tests.support.gateway import AS_SHIPPED, PoolOfTest, running_gateway
from tests.support.ports import free_port
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream

FAILOVER_SECONDS = 30

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as ports:
        yield ports


def send_request(pool: PoolOfTest, key: str) -> str:
    response = pool.post(PATHS["chat"], BODIES["chat"], key)
    return "ok" if response.ok else str(response.json()["error"]["code"])


def test_pools_spread_over_the_nodes_and_slots_may_move(
    cluster: list[int], tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[0]}"
    with running_gateway(url, tmp_path, workers=1, **AS_SHIPPED) as gateway:
        pools = [gateway.pool() for _ in range(9)]
        access = []
        for pool in pools:
            pool.account("a", upstream.base_url())
            access.append(pool.key())
        assert {send_request(pool, key) for pool, key in zip(pools, access, strict=True)} == {"ok"}
        assert all(node_of(port).dbsize() > 0 for port in cluster)
        for pool, key in zip(pools[1:3], access[1:3], strict=True):
            sent = [
                pool.post(PATHS["chat"], BODIES["chat"], key, headers={"Idempotency-Key": "once"})
                for _ in range(2)
            ]
            assert [each.headers.get("idempotent-replayed") for each in sent] == [None, "true"]

        sent_text = while_its_slot_moves(pools[0], access[0], cluster)

        assert set(sent_text) <= {"ok", "store_unavailable"}
        assert eventually(lambda: send_request(pools[0], access[0]) == "ok")
        served = 2 + sent_text.count("ok")
        assert len(pools[0].wait_for_rows(served)) == served
        assert pools[0].open_leases() == 0


def while_its_slot_moves(pool: PoolOfTest, key: str, cluster: list[int]) -> list[str]:
    """Move the slot of *pool* to another node key by key; return the responses of requests meanwhile."""
    slot = key_slot(keys.root(pool.name).encode())
    owner = next(port for port in cluster if node_of(port).execute_command("CLUSTER COUNTKEYSINSLOT", slot))
    target = next(port for port in cluster if port != owner)
    ids = {port: str(node_of(port).execute_command("CLUSTER MYID")) for port in cluster}
    sent_text = []
    node_of(target).execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[owner])
    node_of(owner).execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
    sent_text.append(send_request(pool, key))
    while found := node_of(owner).execute_command("CLUSTER GETKEYSINSLOT", slot, 3):
        node_of(owner).execute_command("MIGRATE", "127.0.0.1", target, "", 0, 5000, "KEYS", *found)
        sent_text.append(send_request(pool, key))
    for port in (target, owner, *cluster):
        node_of(port).execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target])
    return sent_text


def test_it_starts_before_its_cluster_does(tmp_path: Path) -> None:
    services = build(Settings(home=tmp_path, redis_url=f"redis+cluster://127.0.0.1:{free_port()}"))

    with pytest.raises(StoreUnavailable):
        services.pools.ensure("default")


def test_a_failover_is_followed(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    first, second, watching = free_port(), free_port(), free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"sentinel monitor pg 127.0.0.1 {first} 1\n"
        "sentinel down-after-milliseconds pg 800\nsentinel failover-timeout pg 3000\n"
    )
    with ExitStack() as running:
        master = running.enter_context(server(tmp_path / "1", first))
        running.enter_context(server(tmp_path / "2", second, "--replicaof", f"127.0.0.1 {first}"))
        running.enter_context(server(tmp_path / "3", watching, str(config), "--sentinel"))
        assert eventually(lambda: node_of(second).info("replication")["master_link_status"] == "up")
        assert eventually(lambda: len(node_of(watching).execute_command("SENTINEL REPLICAS", "pg")) == 1)
        url = f"redis+sentinel://127.0.0.1:{watching}/pg"
        gateway = running.enter_context(running_gateway(url, tmp_path / "home", workers=1, **AS_SHIPPED))
        pool = gateway.pool()
        pool.account("a", upstream.base_url())
        key = pool.key()
        assert send_request(pool, key) == "ok"
        node_of(first).execute_command("WAIT", 1, 1000)

        master.kill()

        assert send_request(pool, key) == "store_unavailable"
        assert eventually(lambda: send_request(pool, key) == "ok", FAILOVER_SECONDS)
        assert len(pool.wait_for_rows(2)) >= 2

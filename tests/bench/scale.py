"""
How throughput grows: `python -m tests.bench.scale [--requests 2400]`.

With workers, on one machine: requests a second of one and of two. With pools, over the nodes of
a Redis Cluster: what the busiest node spends on a request, which is the limit of the cluster
together, since a pool lies on one node. And what a request leaves behind in Redis.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import Any

from app.accounts.account import Account
from app.limits.limit_syntax import parse_limit
from tests.bench.load import Load, Running
from tests.bench.processes import cpu_seconds
from tests.bench.scenarios import SMALL, requests
from tests.bench.stage import ENVIRONMENT, LIMITS, PATHS, Stage, stage
from tests.support.cluster import node_of, running_cluster
from tests.support.gateway import Gateway, running_gateway
from tests.support.redis import short_folder

CLIENTS = 32
LOADS = 6  # processes, each with a pool of its own where there are so many
FULL = 0.7  # of a core is what one plans for


def workers(standing: Stage, count: int) -> None:
    for server in (standing.one, standing.two):
        requests(server, SMALL, CLIENTS, count // 4)
        reply = requests(server, SMALL, CLIENTS, count, standing)
        print(
            f"{server.name}: {reply['per_second']:6.0f} requests/s, {reply['cpu_ms']:.2f} ms of CPU each, "
            f"{reply['redis_ms']:.3f} ms of Redis"
        )


def left_behind(standing: Stage, count: int) -> None:
    """Bytes of Redis' memory that a request takes for good, and for a day."""
    assert standing.one.gateway is not None
    client: Any = standing.one.gateway.services.scripts.client
    before = client.info("memory")["used_memory"]
    requests(standing.one, SMALL, CLIENTS, count)
    grown = (client.info("memory")["used_memory"] - before) / count
    ledgers = list(client.scan_iter(match="*:ledger"))
    rows = sum(client.xlen(key) for key in ledgers)
    size = sum(client.memory_usage(key, samples=0) for key in ledgers)
    print(f"a request leaves {grown:.0f} bytes in Redis, {size / rows:.0f} of them its ledger row")


def pools(gateway: Gateway, ports: list[int], upstream_port: int, number: int, count: int) -> None:
    """*number* pools share the load; each node's CPU time is reported."""
    access = [_key(gateway, f"p{number}-{each}", upstream_port) for each in range(number)]
    nodes = [node_of(port).info("server")["process_id"] for port in ports]
    before = [cpu_seconds(pid) for pid in nodes]
    port = int(gateway.url.rpartition(":")[2])
    path, body, each = PATHS[SMALL.wire], SMALL.body(), count // LOADS
    loads = [
        Load(port, path, access[n % number], body, SMALL.wire, 1, CLIENTS // LOADS, each)
        for n in range(LOADS)
    ]
    with ExitStack() as stack:
        running = [stack.enter_context(Running(load)) for load in loads]
        seconds = max(clients.until("done")["seconds"] for clients in running)
    spent = [(cpu_seconds(pid) - was) * 1000 / (each * LOADS) for pid, was in zip(nodes, before, strict=True)]
    print(
        f"{number} pools: {each * LOADS / seconds:6.0f} requests/s, Redis nodes "
        f"{', '.join(f'{ms:.3f}' for ms in spent)} ms a request, so at most "
        f"{FULL * 1000 / max(spent):,.0f} requests/s by them"
    )


def _key(gateway: Gateway, name: str, upstream_port: int) -> str:
    services = gateway.services
    services.pools.ensure(name)
    base_url = f"http://127.0.0.1:{upstream_port}/1/0/v1"
    for number in range(SMALL.accounts):
        account = Account(
            *("", f"a{number}", "openai", base_url),
            protocols=SMALL.account_protocols,
            cap=5000,
            credential="sk-bench",
        )
        services.accounts.add(name, account)
    return services.api_keys.create(name, "bench", limits=tuple(map(parse_limit, LIMITS)))[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale")
    parser.add_argument("--requests", type=int, default=2400, help="of each measurement")
    count = parser.parse_args().requests
    with stage() as standing:
        workers(standing, count)
        left_behind(standing, count)
        with short_folder() as folder, running_cluster(folder) as ports:
            url, log = f"redis+cluster://127.0.0.1:{ports[0]}", (folder / "log").open("wb")
            with log, running_gateway(url, folder / "home", stderr=log, **ENVIRONMENT) as gateway:
                for number in (1, LOADS):
                    pools(gateway, ports, standing.one.upstream_port, number, count)


if __name__ == "__main__":
    main()

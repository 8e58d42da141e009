"""Nodes of a Redis Cluster, or of anything else that consists of several servers on ports."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from tests.support.ports import free_port
from tests.support.processes import eventually
from tests.support.redis_server import program

SLOTS = 16384
NODES = 3


def node_of(port: int) -> redis.Redis:
    return redis.Redis(port=port, decode_responses=True, socket_timeout=5)


@contextmanager
def server(folder: Path, port: int, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    folder.mkdir()
    command = [
        shutil.which("redis-server") or program(),
        *arguments,
        "--port",
        str(port),
        "--dir",
        str(folder),
        "--save",
        "",
    ]
    command += ["--bind", "127.0.0.1", "--logfile", str(folder / "log")]
    with subprocess.Popen(command) as process:
        assert eventually(lambda: is_up(port))
        try:
            yield process
        finally:
            process.kill()


def is_up(port: int) -> bool:
    try:
        return bool(node_of(port).ping())
    except redis.RedisError:
        return False


def low_port() -> int:
    """A node's bus is 10,000 ports above it."""
    while (port := free_port()) > 55_000:
        pass
    return port


@contextmanager
def running_cluster(folder: Path) -> Iterator[list[int]]:
    """The ports of three nodes that share the slots."""
    ports = [low_port() for _ in range(NODES)]
    with ExitStack() as running:
        for port in ports:
            running.enter_context(server(folder / str(port), port, "--cluster-enabled", "yes"))
        for number, port in enumerate(ports):
            first, last = number * SLOTS // NODES, (number + 1) * SLOTS // NODES - 1
            node_of(port).execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            node_of(port).execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0])
        assert eventually(lambda: all(is_complete(port) for port in ports), 30)
        yield ports


def is_complete(port: int) -> bool:
    reply = node_of(port).execute_command("CLUSTER INFO")
    return bool(reply["cluster_state"] == "ok" and reply["cluster_known_nodes"] == "3")

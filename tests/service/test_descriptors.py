"""A worker without a free descriptor: a failure of ours that marks no account, and that passes."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from tests.service.test_leaving import send_request
from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream

DESCRIPTORS = 48  # of which an idle worker holds nearly half
CLIENTS = 17  # as many requests as such a worker takes on at once


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("home")
    few = ("sh", "-c", f'ulimit -n {DESCRIPTORS} && exec "$@"', "sh")
    with running_gateway(redis_url, home, workers=1, inside=few) as running:
        yield running


def send(pool: PoolOfTest, upstream: ScriptedUpstream, key: str) -> tuple[socket.socket, Any]:
    """Send a request that its upstream never answers; return its connection, and how it was refused."""
    before = len(upstream.log())
    connection = send_request(pool, PATHS["chat"], {**BODIES["chat"], "stream": True}, key)
    connection.settimeout(0.02)
    data = b""
    while len(upstream.log()) == before and not data:
        with suppress(TimeoutError):
            data = connection.recv(65536)
    if not data:
        return connection, None
    connection.settimeout(10)
    while not data.endswith(b"}"):
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    return connection, (int(head.split()[1]), json.loads(body)["error"]["code"])


def test_a_worker_that_runs_out_reports_it_and_recovers(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Connections to the upstream are what it cannot make first."""
    pool.account("a", upstream.base_url())
    key = pool.key()
    upstream.script({"before": [{"stall": True}]})
    refused = []
    with ExitStack() as connections:
        for _ in range(CLIENTS):
            connection, response = send(pool, upstream, key)
            connections.enter_context(connection)
            refused += [response] if response else []
        served = len(upstream.log())
    assert served >= CLIENTS // 4
    assert refused
    assert set(refused) == {(503, "out_of_descriptors")}

    assert eventually(lambda: (pool.open_leases(), pool.in_flight(), pool.open_requests()) == (0, 0, 0))
    assert pool.states() == {"a": "active"}
    statuses = [row["status"] for row in pool.wait_for_rows(served)]
    assert statuses.count(499) == served
    assert set(statuses) <= {499, 503}
    upstream.script({"play": "text", "text": "Here again."})
    # the last connections may not be closed yet
    assert eventually(lambda: pool.post(PATHS["chat"], BODIES["chat"], key).status_code == 200)


def test_many_at_once_without_a_connection_to_redis(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Clients use all descriptors before there is a connection to Redis for each request."""
    pool.account("a", upstream.base_url())
    key = pool.key()
    body = json.dumps(BODIES["chat"]).encode()
    with ExitStack() as stack:
        begun = [stack.enter_context(begin(pool, key, len(body))) for _ in range(CLIENTS)]
        for connection in begun:
            connection.sendall(body)
        heads = [connection.recv(4096).split(b"\r\n\r\n")[0] for connection in begun]

    statuses = {int(head.split()[1]) for head in heads if head}
    assert statuses <= {200, 503}, heads
    assert eventually(lambda: (pool.open_leases(), pool.in_flight(), pool.open_requests()) == (0, 0, 0))
    assert pool.states() == {"a": "active"}
    assert eventually(lambda: pool.post(PATHS["chat"], BODIES["chat"], key).status_code == 200)


def begin(pool: PoolOfTest, key: str, size: int) -> socket.socket:
    host, port = pool.gateway.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    head = f"POST {PATHS['chat']} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode())
    return connection

"""A client that is slow holds little and slows its upstream; one that stands still is let go."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.bench.processes import resident_mib
from tests.service.test_leaving import send_request
from tests.service.test_model_responses import BODIES, PATHS
from tests.support import raw_http
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream

TIMEOUT_SECONDS = 3
PIECE = "x" * 65536
PIECES = 400  # 25 MiB in all
# ours to the client, ours from the upstream, and the upstream's own, which the kernel sizes
BUFFERED_BYTES = 8 * 1024 * 1024
STREAM = {**BODIES["chat"], "stream": True}
STANDING_STILL = 50
_numbers = count()
MAX_MIB_EACH, NOISE_MIB = 1.0, 5.0


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("home")
    limit = {"POOLGATE_SLOW_CLIENT_SECONDS": str(TIMEOUT_SECONDS)}
    with running_gateway(redis_url, home, workers=1, **limit) as running:
        yield running


@pytest.fixture
def pool(gateway: Gateway, upstream: ScriptedUpstream) -> PoolOfTest:
    pool = gateway.pool()
    pool.account("a", upstream.base_url())
    return pool


def much(upstream: ScriptedUpstream) -> None:
    upstream.script({"play": "text", "text": PIECE * PIECES, "deltas": PIECES})


def slow_reader(pool: PoolOfTest) -> socket.socket:
    connection = send_request(pool, PATHS["chat"], STREAM, pool.key(f"k{next(_numbers)}"))
    connection.recv(1)
    return connection


def test_a_client_that_takes_nothing_stops_its_upstream_and_is_let_go(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    much(upstream)
    with slow_reader(pool):
        (seen,) = upstream.wait_for(1, end="any", timeout_seconds=TIMEOUT_SECONDS + 10)

    assert seen.end in ("client_closed", "reset")
    assert seen.bytes_sent < BUFFERED_BYTES
    (row,) = pool.wait_for_rows(1)
    assert (row["status"], row["error"]) == (499, "client_gone")
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_clients_that_take_nothing_hold_little_of_a_worker(
    redis_url: str, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    """What the kernel holds for them is limited by the sizes of its buffers; this is about the worker."""
    much(upstream)
    with ExitStack() as connections, running_gateway(redis_url, tmp_path, workers=1) as gateway:
        pool = gateway.pool()
        pool.account("a", upstream.base_url(), cap=1000)
        (worker,) = gateway.children()

        def come(clients: int) -> float:
            """Return what the worker has, once none of so many more clients is given anything more."""
            already = len(upstream.log())
            for _ in range(clients):
                connections.enter_context(slow_reader(pool))
            sizes = [0]

            def still() -> bool:
                sizes.append(sum(seen.bytes_sent for seen in upstream.log()))
                time.sleep(1.0)
                return sizes[-1] == sizes[-2]

            upstream.wait_for(already + clients, timeout_seconds=60)
            assert eventually(still, 60)
            return resident_mib(worker)

        before = come(5)

        assert come(STANDING_STILL) - before < STANDING_STILL * MAX_MIB_EACH + NOISE_MIB


def test_a_client_that_takes_a_little_now_and_then_gets_all_of_it(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    much(upstream)
    received = b""
    with slow_reader(pool) as connection:
        begun = time.monotonic()
        while time.monotonic() - begun < TIMEOUT_SECONDS + 2:
            received = received[-100:] + connection.recv(65536)
            time.sleep(0.1)
        while not received.endswith(b"0\r\n\r\n"):
            received = received[-100:] + connection.recv(1 << 20)

    assert b"data: [DONE]" in received
    (row,) = pool.wait_for_rows(1)
    assert row["status"] == 200


@pytest.mark.parametrize("sent", [0, 10])
def test_a_body_that_does_not_come_is_a_timeout(
    pool: PoolOfTest, upstream: ScriptedUpstream, sent: int
) -> None:
    body = json.dumps(BODIES["chat"]).encode()
    head = raw_http.head(
        "POST", PATHS["chat"], Authorization=f"Bearer {pool.key()}", Content_Length=str(len(body))
    )

    response = raw_http.send(pool.gateway.url, head + body[:sent])

    assert (response.status, response.error()["code"]) == (408, "request_timeout")
    assert upstream.log() == []


def test_a_body_that_trickles_is_a_timeout_too(pool: PoolOfTest) -> None:
    """Silence is not what gives it away: there is a limit on the whole."""
    host, port = pool.gateway.url.removeprefix("http://").split(":")
    head = raw_http.head("POST", PATHS["chat"], Authorization=f"Bearer {pool.key()}", Content_Length="1000")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head)
        connection.settimeout(0.2)
        response = b""

        def answered() -> bytes:
            nonlocal response
            try:
                connection.send(b" ")
                response += connection.recv(65536)
            except TimeoutError:
                pass
            return response

        assert eventually(answered, TIMEOUT_SECONDS + 5)
    assert response.startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_not_a_slow_client(pool: PoolOfTest) -> None:
    host, port = pool.gateway.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    headers = {"Authorization": f"Bearer {pool.key()}", "Content-Type": "application/json"}
    connection.request("POST", PATHS["chat"], json.dumps(BODIES["chat"]), headers)
    assert connection.getresponse().read()
    before = connection.sock

    time.sleep(TIMEOUT_SECONDS + 1)

    connection.request("GET", "/health/live")
    assert connection.getresponse().read()
    assert connection.sock is before
    connection.close()

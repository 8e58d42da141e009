"""A client that leaves, at whatever moment, stops its upstream and frees what it held."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import PoolOfTest
from tests.support.upstream_client import ScriptedUpstream

SSE = {"content-type": "text/event-stream"}
STALLS: dict[str, dict[str, Any]] = {
    "before the headers": {"before": [{"stall": True}]},
    "before the first event": {"status": 200, "headers": SSE, "steps": [{"stall": True}]},
    "in the middle": {"play": "text", "text": "one two three", "deltas": 3, "at": {"2": [{"stall": True}]}},
}


def send_request(
    pool: PoolOfTest, path: str, body: dict[str, Any], key: str, headers: str = ""
) -> socket.socket:
    """Send a request by hand and return its connection; *headers* are lines."""
    host, port = pool.gateway.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    payload = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n{headers}\r\n"
    )
    connection.sendall(head.encode() + payload)
    return connection


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_the_upstream_is_closed_and_the_lease_is_gone(
    pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, stream: bool, stall: str
) -> None:
    pool.set(settings='{"stream_upstream": "always"}')
    pool.account("a", upstream.base_url())
    upstream.script(STALLS[stall])
    connection = send_request(pool, PATHS[endpoint], {**BODIES[endpoint], "stream": stream}, pool.key())
    upstream.wait_for(1)
    if stream and stall == "in the middle":
        assert connection.recv(10)

    connection.close()

    (seen,) = upstream.wait_for(1, end="any")
    assert seen.end in ("client_closed", "reset")
    (row,) = pool.wait_for_rows(1)
    assert (row["status"], row["error"], row["source"]) == (499, "client_gone", "estimated")
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)
    assert pool.states() == {"a": "active"}


@pytest.mark.parametrize("stall", list(STALLS)[:2])
@pytest.mark.parametrize("endpoint", ["chat", "responses"])
def test_an_upstream_that_does_not_stream_is_closed_too(
    pool: PoolOfTest, upstream: ScriptedUpstream, endpoint: str, stall: str
) -> None:
    pool.account("a", upstream.base_url())
    upstream.script(STALLS[stall])
    connection = send_request(pool, PATHS[endpoint], BODIES[endpoint], pool.key())
    upstream.wait_for(1)

    connection.close()

    (seen,) = upstream.wait_for(1, end="any")
    assert seen.end in ("client_closed", "reset")
    (row,) = pool.wait_for_rows(1)
    assert (row["status"], row["error"]) == (499, "client_gone")
    assert (pool.open_leases(), pool.in_flight()) == (0, 0)


def test_a_pause_before_another_try_ends_too(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """No upstream is called on behalf of a client that has disconnected."""
    pool.account("a", upstream.base_url())
    busy = {"error": {"message": "Busy", "code": "server_is_overloaded", "type": "server_error"}}
    upstream.script({"play": "http_error", "status": 503, "body": busy, "headers": {"retry-after": "8"}})
    connection = send_request(pool, PATHS["chat"], BODIES["chat"], pool.key())
    upstream.wait_for(1, end="any")

    connection.close()

    (row,) = pool.wait_for_rows(1, seconds=7)  # the pause is longer
    assert row["error"] == "client_gone"
    assert len(upstream.log()) == 1
    assert pool.open_leases() == 0


def test_a_client_that_pipelines_is_not_taken_for_gone(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    pool.account("a", upstream.base_url())
    upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
    key = pool.key()
    connection = send_request(pool, PATHS["chat"], {**BODIES["chat"], "stream": True}, key)
    upstream.wait_for(gate="go")
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    upstream.release("go")

    with connection, connection.makefile("rb") as responses:
        lines = iter(responses.readline, b"")
        assert any(line.strip() == b"data: [DONE]" for line in lines)
        assert any(b'"ok"' in line for line in lines)

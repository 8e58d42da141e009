"""
Upstreams that speak TLS, as all but one's own do, with a certificate that the environment vouches for.

A TLS socket is read differently: the available data may not be a complete record, and a wait is shown by
other exceptions. So what matters of streams is tried here once more.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.service.test_leaving import send_request
from tests.service.test_model_responses import BODIES, PATHS
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.tls import make_certificate, tls_proxy
from tests.support.upstream_client import ScriptedUpstream

STREAMED = BODIES["chat"] | {"stream": True}
SSE = {"content-type": "text/event-stream"}
ADDRESS = "127.0.0.1"
OFTEN = '{"time_limits":{"*":{"keepalive":0.1}}}'  # a sign of life for the client


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"), address=ADDRESS)


@pytest.fixture(scope="module")
def trusting(
    redis_url: str, tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, workers=1, REQUESTS_CA_BUNDLE=str(certificate[0])) as gateway:
        yield gateway


@pytest.fixture
def base_url(upstream: ScriptedUpstream, certificate: tuple[Path, Path]) -> Iterator[str]:
    plain = urlsplit(upstream.base_url())
    assert plain.port is not None
    with tls_proxy(plain.port, *certificate) as port:
        yield f"https://{ADDRESS}:{port}{plain.path}"


@pytest.fixture
def pool(trusting: Gateway, base_url: str) -> PoolOfTest:
    pool = trusting.pool()
    pool.account("a", base_url)
    return pool


def until(connection: socket.socket, words: bytes, times: int = 1) -> bytes:
    """Read until *words* have come so many times, and return what was read."""
    reply = b""
    while reply.count(words) < times:
        more = connection.recv(65536)
        assert more, reply
        reply += more
    return reply


def test_a_body_that_no_single_write_takes(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """It is sent whole, and its connection is used again."""
    key, text = pool.key(), "word " * 600_000
    body = BODIES["chat"] | {"messages": [{"role": "user", "content": text}]}
    for _ in range(2):
        assert pool.post(PATHS["chat"], body, key).status_code == 200

    first, second = upstream.wait_for(2)
    assert first.body["messages"][0]["content"] == text
    assert first.connection == second.connection


def test_headers_come_before_the_response(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """As of upstreams that think first: nothing lies behind the headers yet."""
    pool.set(settings=OFTEN)
    first = {"choices": [{"index": 0, "delta": {"content": "hi"}}]}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    sent_text = "".join(f"data: {json.dumps(event)}\n\n" for event in (first, last)) + "data: [DONE]\n\n"
    upstream.script({"status": 200, "headers": SSE, "steps": [{"gate": "think"}, {"send": sent_text}]})
    connection = send_request(pool, PATHS["chat"], STREAMED, pool.key())
    upstream.wait_for(1, gate="think")
    reply = until(connection, b": keepalive", 3)  # the headers have long been read

    upstream.release("think")

    assert b'"hi"' in reply + until(connection, b"[DONE]")
    (row,) = pool.wait_for_rows(1)
    assert (row["status"], len(row["attempts"])) == (200, 1)
    connection.close()


def test_a_burst_longer_than_a_read(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    upstream.script({"play": "text", "text": "word " * 20_000, "deltas": 2000})

    response = pool.post(PATHS["chat"], STREAMED, pool.key())

    assert response.text.count('"word') == 2000
    assert response.text.endswith("data: [DONE]\n\n")


def test_a_client_that_leaves_stops_its_upstream(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    upstream.script({"play": "text", "text": "one two three", "deltas": 3, "at": {"2": [{"stall": True}]}})
    connection = send_request(pool, PATHS["chat"], STREAMED, pool.key())
    assert connection.recv(10)

    connection.close()

    (seen,) = upstream.wait_for(1, end="any")
    assert seen.end in ("client_closed", "reset")
    (row,) = pool.wait_for_rows(1)
    assert row["error"] == "client_gone"


def test_a_stream_that_breaks_is_not_an_end(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    upstream.script({"play": "text", "text": "one two three", "deltas": 3, "at": {"2": [{"reset": True}]}})

    response = pool.post(PATHS["chat"], STREAMED, pool.key())

    assert '"code":"stream_incomplete"' in response.text


def test_silence_is_not_a_break(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """The wait for more ends now and then, to send the client a keepalive."""
    pool.set(settings=OFTEN)
    upstream.script({"play": "text", "text": "one two three", "deltas": 3, "at": {"2": [{"gate": "on"}]}})
    connection = send_request(pool, PATHS["chat"], STREAMED, pool.key())
    until(connection, b": keepalive", 2)

    upstream.release("on")

    until(connection, b"[DONE]")
    connection.close()
    (row,) = pool.wait_for_rows(1)
    assert (row["status"], len(row["attempts"])) == (200, 1)


def test_an_untrusted_certificate(redis_url: str, tmp_path: Path, base_url: str) -> None:
    with running_gateway(redis_url, tmp_path, workers=1) as gateway:
        pool = gateway.pool()
        pool.account("a", base_url)
        response = pool.post(PATHS["chat"], BODIES["chat"], pool.key())

    assert response.status_code == 502
    assert "certificate" in response.json()["error"]["message"]

"""The guide's nginx in front of a running service."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.service.test_model_responses import BODIES, PATHS, events_of
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.guide import page
from tests.support.nginx import MARKS, running_nginx
from tests.support.ports import free_port
from tests.support.upstream_client import ScriptedUpstream
from tests.support.websocket import socket_of, text_in

STREAM = {**BODIES["chat"], "stream": True}
MIB = 1024 * 1024

pytestmark = MARKS

COMPRESSION = """
  gzip on;
  gzip_types text/event-stream;
"""


def snippet(gateway_port: str, port: int) -> str:
    """What the guide shows, on ports of the test's."""
    (found,) = re.findall(r"```nginx\n(.*?)```", page("deploy"), re.S)
    assert "127.0.0.1:8000" in found
    found = found.replace("127.0.0.1:8000", f"127.0.0.1:{gateway_port}")
    return found.replace("server {\n", f"server {{\n  listen 127.0.0.1:{port};\n", 1)


@pytest.fixture(scope="module")
def direct(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home = tmp_path_factory.mktemp("home")
    with running_gateway(redis_url, home, workers=1, POOLGATE_WEBSOCKET="on") as running:
        yield running


@pytest.fixture(scope="module")
def gateway(direct: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The same service, by way of nginx."""
    with behind_nginx(direct, tmp_path_factory.mktemp("nginx")) as gateway:
        yield gateway


@contextmanager
def behind_nginx(direct: Gateway, folder: Path, read_timeout: str = "600s") -> Iterator[Gateway]:
    port = free_port()
    shown = snippet(direct.url.rpartition(":")[2], port)
    assert "proxy_read_timeout 600s;" in shown
    shown = shown.replace("proxy_read_timeout 600s;", f"proxy_read_timeout {read_timeout};")
    with running_nginx(folder, port, COMPRESSION + shown):
        yield Gateway(f"http://127.0.0.1:{port}", direct.services, direct.process)


@pytest.fixture
def pool(gateway: Gateway, upstream: ScriptedUpstream) -> PoolOfTest:
    pool = gateway.pool()
    pool.account("a", upstream.base_url())
    return pool


def test_the_first_event_arrives_while_the_next_is_not_there_yet(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
    with pool.post(PATHS["chat"], STREAM, pool.key(), stream=True) as response:
        lines = response.iter_lines(chunk_size=1)
        assert any(b"one" in line for line in lines)

        upstream.release("go")

        assert b"data: [DONE]" in list(lines)


def test_a_client_that_leaves_reaches_the_service(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"stall": True}]}})
    with pool.post(PATHS["chat"], STREAM, pool.key(), stream=True) as response:
        assert next(response.iter_lines(chunk_size=1))

    upstream.wait_for(1, end="client_closed", timeout_seconds=5)
    (row,) = pool.wait_for_rows(1)
    assert row["error"] == "client_gone"


def test_a_stream_that_is_silent_for_long_lives(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    """Longer than the ten seconds after which the service sends a keepalive."""
    upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"sleep": 12}]}})
    begun = time.monotonic()

    response = pool.post(PATHS["chat"], STREAM, pool.key())

    assert time.monotonic() - begun > 12
    assert ": keepalive" in response.text
    assert events_of(response.text)[-1] == "[DONE]"


def test_a_large_body_is_passed_on(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    messages = 2 * [{"role": "user", "content": "x" * 50 * MIB}]
    response = pool.post(PATHS["responses"], {**BODIES["responses"], "input": messages}, pool.key())

    assert response.status_code == 200, response.text[:300]
    (seen,) = upstream.log()
    assert seen.body_bytes > 100 * MIB


def test_one_over_the_limit_is_not(pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
    with requests.Session() as session:
        response = session.post(
            pool.gateway.url + PATHS["responses"],
            data=b"x" * 129 * MIB,
            headers={"Authorization": f"Bearer {pool.key()}"},
            timeout=60,
        )

    assert response.status_code == 413
    assert upstream.log() == []


class TestWebSocket:
    def test_messages_arrive_at_once(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
        with socket_of(pool, pool.key()) as client:
            client.create()
            while client.receive()["type"] != "response.output_text.delta":
                pass

            upstream.release("go")

            assert client.until_end()[-1]["type"] == "response.completed"

    def test_a_client_that_leaves_reaches_the_service(
        self, pool: PoolOfTest, upstream: ScriptedUpstream
    ) -> None:
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"stall": True}]}})
        with socket_of(pool, pool.key()) as client:
            client.create()
            while client.receive()["type"] != "response.output_text.delta":
                pass

        upstream.wait_for(1, end="client_closed", timeout_seconds=5)
        (row,) = pool.wait_for_rows(1)
        assert row["error"] == "client_gone"

    def test_a_silent_connection_lives(
        self, redis_url: str, upstream: ScriptedUpstream, tmp_path: Path
    ) -> None:
        """Pings keep it, at intervals shorter than the timeout of nginx."""
        pinging = {"app": "tests.support.frequent_pings:app", "POOLGATE_WEBSOCKET": "on"}
        with (
            running_gateway(redis_url, tmp_path, workers=1, **pinging) as direct,
            behind_nginx(direct, tmp_path, read_timeout="2s") as gateway,
        ):
            pool = gateway.pool()
            pool.account("a", upstream.base_url())
            upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"sleep": 5}]}})
            with socket_of(pool, pool.key()) as client:
                time.sleep(5)
                assert text_in(client.respond()) == "one two"

"""The Responses API over WebSocket: one connection, its messages, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.service.test_common_rules import HANDSHAKE
from tests.support.gateway import Gateway, PoolOfTest, running_gateway
from tests.support.processes import eventually
from tests.support.upstream_client import ScriptedUpstream
from tests.support.websocket import SocketClient, socket_of, text_in

WITH_A_GATE = {"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}}


@pytest.fixture(scope="module")
def sockets(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("sockets")
    with running_gateway(redis_url, home, workers=1) as running:
        yield running


@pytest.fixture
def pool(sockets: Gateway, upstream: ScriptedUpstream) -> PoolOfTest:
    pool = sockets.pool()
    pool.account("a", upstream.base_url())
    return pool


@pytest.fixture
def client(pool: PoolOfTest) -> Iterator[SocketClient]:
    with socket_of(pool, pool.key()) as client:
        yield client


class TestResponses:
    def test_one_after_another(self, client: SocketClient, upstream: ScriptedUpstream) -> None:
        """Each message is one ordinary request with its own ledger entry."""
        upstream.script({"play": "text", "text": "Good morning.", "deltas": 3})

        for _ in range(3):
            events = client.respond()
            assert text_in(events) == "Good morning."
            assert events[0]["type"] == "response.created"
            assert events[-1]["type"] == "response.completed"

    def test_the_ledger(self, pool: PoolOfTest, client: SocketClient) -> None:
        client.respond()

        (row,) = pool.wait_for_rows(1)
        assert (row["status"], row["source"], row["endpoint"]) == (200, "upstream", "/v1/responses")
        assert (pool.open_leases(), pool.in_flight()) == (0, 0)

    def test_a_refusal_is_one_message(self, client: SocketClient) -> None:
        (event,) = client.respond(instructions=1)

        assert (event["type"], event["status"]) == ("error", 400)
        assert event["error"]["type"] == "invalid_request_error"
        assert client.respond()[-1]["type"] == "response.completed"

    def test_what_is_no_request(self, client: SocketClient) -> None:
        """A message that cannot be understood is refused, and the connection goes on."""
        for message in ("{", "[]", '"text"', {"type": "session.update"}, {}):
            client.send(message)
            event = client.receive()
            assert (event["type"], event["status"]) == ("error", 400)
        client.send({"type": "response.processed", "response_id": "resp_1"})
        assert client.respond()[-1]["type"] == "response.completed"

    def test_steering(self, client: SocketClient) -> None:
        client.send({"type": "response.steer", "previous_response_id": "resp_1", "input": "More"})

        event = client.receive()
        assert (event["type"], event["error"]["code"]) == ("response.steer.failed", "steering_not_supported")
        assert event["steer"] == {"previous_response_id": "resp_1", "input": "More"}

    def test_no_background(self, client: SocketClient) -> None:
        (event,) = client.respond(background=True)

        assert (event["status"], event["error"]["param"]) == (400, "background")

    def test_the_error_of_an_upstream(self, client: SocketClient, upstream: ScriptedUpstream) -> None:
        """A client ignores an error without a status."""
        upstream.script({"play": "error_in_stream", "text": "", "deltas": 0})

        event = client.respond()[-1]
        assert event["type"] == "response.failed" or event["status"] >= 400


class TestEnds:
    def test_a_client_that_leaves(self, pool: PoolOfTest, upstream: ScriptedUpstream) -> None:
        """The upstream ends within a second, and the request is settled once."""
        upstream.script(WITH_A_GATE)
        with socket_of(pool, pool.key()) as client:
            client.create()
            upstream.wait_for(gate="go")
            client.connection.socket.close()
            upstream.wait_for(1, end="client_closed", timeout_seconds=5)

        (row,) = pool.wait_for_rows(1)
        assert row["error"] == "client_gone"
        assert pool.open_leases() == 0

    def test_a_cancelled_response(
        self, pool: PoolOfTest, client: SocketClient, upstream: ScriptedUpstream
    ) -> None:
        upstream.script(WITH_A_GATE, {"play": "text"})
        client.create()
        upstream.wait_for(gate="go")
        client.send({"type": "response.cancel"})

        event = client.until_end()[-1]
        assert (event["type"], event["error"]["code"]) == ("error", "response_cancelled")
        assert client.respond()[-1]["type"] == "response.completed"
        pool.wait_for_rows(2)
        assert pool.open_leases() == 0

    def test_binary(self, client: SocketClient) -> None:
        client.send(b"{}")

        assert client.close_code() == 1003

    def test_a_worker_that_stops(self, redis_url: str, tmp_path: Path, upstream: ScriptedUpstream) -> None:
        """An idle connection is closed at once, another after its response; what waits for it is refused."""
        with running_gateway(redis_url, tmp_path, workers=1) as gateway:
            pool = gateway.pool()
            pool.account("a", upstream.base_url())
            upstream.script(WITH_A_GATE)
            key = pool.key()
            with socket_of(pool, key) as idle, socket_of(pool, key) as busy:
                busy.create()
                upstream.wait_for(gate="go")
                busy.create()
                gateway.process.send_signal(signal.SIGTERM)
                assert idle.close_code() == 1012
                upstream.release("go")
                assert busy.until_end()[-1]["type"] == "response.completed"
                refused = busy.receive()
                assert refused["error"]["code"] == "websocket_connection_limit_reached"
                assert "restarting" in refused["error"]["message"]
                assert busy.close_code() == 1012
            gateway.process.wait(20)


class TestHandshakes:
    @pytest.mark.parametrize(
        "path",
        [
            *("/v1/responses", "/v1/responses/", "/backend-api/codex/responses"),
            *("/backend-api/codex/v1/responses", "/backend-api/codex/responses/"),
        ],
    )
    def test_every_address(self, pool: PoolOfTest, path: str) -> None:
        with socket_of(pool, pool.key(), path) as client:
            assert client.respond(instructions="Be brief")[-1]["type"] == "response.completed"

    def test_no_key(self, pool: PoolOfTest) -> None:
        with pytest.raises(InvalidStatus) as refused, socket_of(pool, "sk-pg-nobody"):
            pass
        assert refused.value.response.status_code == 401

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Sec-WebSocket-Version": "8"}, 426),
            ({"Sec-WebSocket-Version": None}, 400),
            ({"Sec-WebSocket-Key": None}, 400),
            ({"Sec-WebSocket-Key": "short"}, 400),
        ],
    )
    def test_headers(self, pool: PoolOfTest, headers: dict[str, str | None], status: int) -> None:
        sent = {**HANDSHAKE, "Authorization": f"Bearer {pool.key()}", **headers}

        response = requests.get(pool.gateway.url + "/v1/responses", headers=sent, timeout=10)

        assert response.status_code == status
        assert response.json()["error"]["message"]
        assert (response.headers.get("sec-websocket-version") == "13") == (status == 426)

    @pytest.mark.parametrize(
        ("method", "path", "status", "message"),
        [
            ("HEAD", "/v1/responses", 405, ""),
            ("GET", "/v1/models", 400, "This address does not speak WebSocket; /v1/responses does"),
        ],
    )
    def test_what_is_no_handshake(
        self, pool: PoolOfTest, method: str, path: str, status: int, message: str
    ) -> None:
        sent = {**HANDSHAKE, "Authorization": f"Bearer {pool.key()}"}

        response = requests.request(method, pool.gateway.url + path, headers=sent, timeout=10)

        assert response.status_code == status
        assert not message or response.json()["error"]["message"] == message

    def test_a_body_is_not_read_as_messages(self, pool: PoolOfTest) -> None:
        """Also chunked, where bytes after the head belong to a request and not to a connection."""
        sent = {**HANDSHAKE, "Authorization": f"Bearer {pool.key()}"}
        for body in (b"hello", iter([b"hello"])):
            response = requests.get(pool.gateway.url + "/v1/responses", data=body, headers=sent, timeout=10)

            assert response.status_code == 400
            assert response.json()["error"]["message"] == "A WebSocket handshake has no body"

    def test_switched_off(self, redis_url: str, tmp_path: Path) -> None:
        """The status after which the Codex CLI uses HTTP at once."""
        with running_gateway(redis_url, tmp_path, workers=1, POOLGATE_WEBSOCKET="off") as gateway:
            pool = gateway.pool()
            with pytest.raises(InvalidStatus) as refused, socket_of(pool, pool.key()):
                pass
            catalogue = pool.get("/v1/models?client_version=1", pool.key("other")).json()
        response = refused.value.response
        assert response.status_code == 426
        assert b"send POST requests" in response.body
        assert not any(model["prefer_websockets"] for model in catalogue["models"])

    def test_the_connections_of_a_key(self, redis_url: str, tmp_path: Path) -> None:
        with running_gateway(redis_url, tmp_path, workers=1, POOLGATE_WEBSOCKETS_PER_KEY="2") as gateway:
            pool = gateway.pool()
            key, other = pool.key(), pool.key("other")
            with socket_of(pool, key), socket_of(pool, key) as second:
                with pytest.raises(InvalidStatus) as refused, socket_of(pool, key):
                    pass
                assert refused.value.response.status_code == 426
                with socket_of(pool, other):
                    second.connection.close()
                assert eventually(lambda: can_connect(pool, key))

    def test_pages_of_other_origins(self, redis_url: str, tmp_path: Path) -> None:
        with running_gateway(
            redis_url, tmp_path, workers=1, POOLGATE_CORS_ORIGINS="https://a.test"
        ) as gateway:
            pool = gateway.pool()
            key = pool.key()
            with socket_of(pool, key, origin="https://a.test"):
                pass
            with pytest.raises(InvalidStatus) as refused, socket_of(pool, key, origin="https://b.test"):
                pass
        assert refused.value.response.status_code == 403


def can_connect(pool: PoolOfTest, key: str) -> bool:
    try:
        with socket_of(pool, key):
            return True
    except InvalidStatus:
        return False


class TestLimits:
    def test_age_and_idle_time(self, redis_url: str, tmp_path: Path, upstream: ScriptedUpstream) -> None:
        """A running response ends; the next is refused with what makes clients connect again."""
        ages = {"POOLGATE_WEBSOCKET_AGE_SECONDS": "2", "POOLGATE_WEBSOCKET_IDLE_SECONDS": "1"}
        with running_gateway(redis_url, tmp_path, workers=1, **ages) as gateway:
            pool = gateway.pool()
            pool.account("a", upstream.base_url())
            upstream.script(WITH_A_GATE)
            key = pool.key()
            with socket_of(pool, key) as idle, socket_of(pool, key) as busy:
                busy.create()
                upstream.wait_for(gate="go")
                assert idle.close_code() == 1000
                time.sleep(1.5)
                busy.create()
                assert busy.receive()["type"] == "response.created"
                refused = next(event for event in iter(busy.receive, None) if event["type"] == "error")
                assert (refused["status"], refused["error"]["code"]) == (
                    400,
                    "websocket_connection_limit_reached",
                )
                upstream.release("go")
                assert busy.until_end()[-1]["type"] == "response.completed"
                assert busy.close_code() == 1000

    def test_a_message_that_is_too_large(self, redis_url: str, tmp_path: Path) -> None:
        """The error precedes the Close; also where it is only large once it is inflated."""
        with running_gateway(redis_url, tmp_path, workers=1, POOLGATE_MAX_BODY_MIB="1") as gateway:
            pool = gateway.pool()
            key = pool.key()
            for compression in (None, "deflate"):
                with socket_of(pool, key, compression=compression) as client:
                    client.create("x" * 4 * 1024 * 1024)
                    event = client.receive()
                    assert (event["status"], event["error"]["code"]) == (413, "payload_too_large")
                    assert client.close_code() == 1009

    def test_too_many_messages(self, client: SocketClient) -> None:
        with suppress(ConnectionClosed):
            for _ in range(2000):
                client.send({"type": "response.processed"})

        assert client.close_code() == 1008

    def test_a_key_that_is_deleted(self, pool: PoolOfTest) -> None:
        with socket_of(pool, pool.key("gone")) as client:
            pool.gateway.services.api_keys.remove(pool.name, "gone")
            assert eventually(lambda: client.respond()[-1].get("status") == 401)
            assert client.close_code() == 1008


class TestEveryEnd:
    def test_nothing_is_left(self, pool: PoolOfTest, upstream: ScriptedUpstream, sockets: Gateway) -> None:
        """Connections that end in any way, idle or not, leave no lease, greenlet or socket."""
        (worker,) = sockets.children()
        key = pool.key()
        with socket_of(pool, key) as client:
            client.respond()
        before = open_files(worker)
        upstream.script({"play": "text", "text": "one two", "deltas": 2, "at": {"1": [{"gate": "go"}]}})
        for number in range(60):
            with suppress(ConnectionClosed), socket_of(pool, key, close_timeout=1) as client:
                if number % 2:
                    client.create(stream_id="x" if number % 3 else "y")
                ENDS[number % len(ENDS)](client)
        upstream.release("go")

        assert eventually(lambda: pool.open_leases() == 0 and pool.in_flight() == 0)
        assert eventually(lambda: open_sockets(sockets) == 0)
        assert eventually(lambda: open_files(worker) <= before + 2)
        rows = pool.rows()
        assert len({row["id"] for row in rows}) == len(rows)


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def open_sockets(gateway: Gateway) -> int:
    text = requests.get(gateway.url + "/metrics", timeout=10).text
    (line,) = [line for line in text.splitlines() if line.startswith("poolgate_websockets_open ")]
    return int(float(line.split()[1]))


def reset(client: SocketClient) -> None:
    """Close so that the kernel sends a reset."""
    client.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.connection.socket.close()


ENDS: list[Callable[[SocketClient], object]] = [
    lambda client: client.connection.close(1000),
    lambda client: client.connection.socket.shutdown(socket.SHUT_RDWR),
    reset,
    lambda client: client.send(b"binary"),
    lambda client: client.connection.socket.sendall(b"\xff\xff no frame"),
    lambda client: client.connection.socket.sendall(b"\x81\xfe\x10\x00half a frame"),
    lambda client: client.connection.close(4000, "a code of our own"),
    lambda client: client.send({"type": "response.cancel"}),
    lambda client: client.connection.socket.shutdown(socket.SHUT_WR),
]

"""How a real gunicorn with our settings treats connections: silent, idle, refused, and too many."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from io import BytesIO
from pathlib import Path

import pytest

from app.server.client_connections import DRAIN_BYTES, HEAD_SECONDS
from tests.support.ports import free_port, wait_for
from tests.support.redis import short_folder

ROOT = Path(__file__).parents[3]
REQUEST = b"GET /health/ready HTTP/1.1\r\nHost: gateway\r\n\r\n"
MIB = 1024 * 1024
LAUNCH = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}));" + (
    "os.execv(sys.executable, [sys.executable, '-m', 'gunicorn', *sys.argv[1:]])"
)


class Served:
    def __init__(self, home: Path, *options: str, descriptors: int = 1024, app: str) -> None:
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH.format(descriptors), *options, app],
            cwd=ROOT,
            env={
                "PORT": str(self.port),
                "POOLGATE_HOME": str(home),
                "WEB_CONCURRENCY": "1",
                "REDIS_URL": "redis://127.0.0.1:1/0",
            },
            stderr=subprocess.PIPE,
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=HEAD_SECONDS + 20)


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    started = []

    def serve(*options: str, app: str = "tests.support.placeholder:app", **more: int) -> Served:
        served = Served(home, *options, app=app, **more)
        started.append(served)
        wait_for(served.port)
        return served

    with short_folder() as home:
        yield serve
        for served in started:
            served.process.kill()
            served.process.communicate()


def response_of(sock: socket.socket) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Return the next response, and leave on the connection what follows it."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, head
        head += byte
    status_line, _, lines = head.partition(b"\r\n")
    headers = http.client.parse_headers(BytesIO(lines))
    left, body = int(headers.get("Content-Length", "0")), b""
    while left > len(body) and (data := sock.recv(left - len(body))):
        body += data
    return int(status_line.split()[1]), headers, body


def stream_of(sock: socket.socket) -> bytes:
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.read()


def seconds_until_closed(sock: socket.socket) -> float:
    begun = time.monotonic()
    with suppress(ConnectionResetError):
        while sock.recv(1000):
            pass
    return time.monotonic() - begun


class TestHeads:
    @pytest.mark.parametrize("sent", [b"", b"GET /he", b"GET /health/ready HTTP/1.1\r\nHost: a\r\n"])
    def test_a_head_that_does_not_arrive_in_time(self, serve: Callable[..., Served], sent: bytes) -> None:
        with serve().connect() as sock:
            sock.sendall(sent)

            assert HEAD_SECONDS - 2 < seconds_until_closed(sock) < HEAD_SECONDS + 8

    def test_the_second_on_its_connection(self, serve: Callable[..., Served]) -> None:
        """It has ten seconds from its first byte on; before that the connection is idle, which is longer."""
        with serve().connect() as sock:
            sock.sendall(REQUEST)
            assert response_of(sock)[0] == 200
            sock.settimeout(HEAD_SECONDS + 2)
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.settimeout(HEAD_SECONDS + 20)
            sock.sendall(REQUEST[:10])

            assert HEAD_SECONDS - 2 < seconds_until_closed(sock) < HEAD_SECONDS + 8

    def test_in_pieces(self, serve: Callable[..., Served]) -> None:
        with serve().connect() as sock:
            for _ in range(2):
                for byte in REQUEST:
                    sock.sendall(bytes([byte]))
                assert response_of(sock)[0] == 200

    def test_two_at_once(self, serve: Callable[..., Served]) -> None:
        with serve().connect() as sock:
            sock.sendall(REQUEST + REQUEST)

            assert [response_of(sock)[0], response_of(sock)[0]] == [200, 200]


class TestPlaces:
    def test_silent_connections_take_none(self, serve: Callable[..., Served]) -> None:
        served = serve("--worker-connections", "40")
        with ExitStack() as opened:
            for _ in range(200):
                opened.enter_context(served.connect())
            with served.connect() as sock:
                begun = time.monotonic()
                sock.sendall(REQUEST)
                assert response_of(sock)[0] == 200
                assert time.monotonic() - begun < HEAD_SECONDS / 2  # not when they are let go of anyway

    def test_idle_ones_go_before_those_at_work(self, serve: Callable[..., Served]) -> None:
        served = serve("--worker-connections", "40")
        with ExitStack() as opened:
            streams = [opened.enter_context(served.connect()) for _ in range(20)]
            for sock in streams:
                sock.sendall(b"GET /stream/3.0 HTTP/1.1\r\nHost: gateway\r\n\r\n")
            idle = []
            for _ in range(100):
                idle.append(sock := opened.enter_context(served.connect()))
                sock.sendall(REQUEST)
                assert response_of(sock)[0] == 200

            assert [stream_of(sock) for sock in streams] == [b"begun\ndone\n"] * 20
            assert seconds_until_closed(idle[0]) < HEAD_SECONDS  # the oldest


class TestRefusedBodies:
    """401, because the key is unknown; Redis is not even running."""

    def head(self, *lines: str) -> bytes:
        return "\r\n".join(["POST /v1/nothing HTTP/1.1", "Host: gateway", *lines, "", ""]).encode()

    @pytest.mark.parametrize(("size", "closes"), [(DRAIN_BYTES, False), (DRAIN_BYTES + 1, True)])
    def test_a_long_one_ends_its_connection(
        self, serve: Callable[..., Served], size: int, closes: bool
    ) -> None:
        with serve().connect() as sock:
            sock.sendall(self.head(f"Content-Length: {size}") + bytes(size))
            status, headers, _ = response_of(sock)

            assert (status, headers["Connection"]) == (404, "close" if closes else "keep-alive")
            sock.sendall(REQUEST)
            if not closes:
                assert response_of(sock)[0] == 200

    def test_one_without_end(self, serve: Callable[..., Served]) -> None:
        """Its sender sees the response, and is then hung up on; others are served meanwhile."""
        served = serve()
        with served.connect() as sock:
            sock.sendall(self.head("Transfer-Encoding: chunked"))
            sent, piece = 0, b"10000\r\n" + bytes(65536) + b"\r\n"
            with suppress(ConnectionError):
                while sent < 1024 * MIB:
                    sent += sock.send(piece)
            assert sent < 1024 * MIB

    @pytest.mark.parametrize("size", [100_000, 60 * MIB])
    def test_a_client_that_sends_first_sees_its_response(
        self, serve: Callable[..., Served], size: int
    ) -> None:
        with serve().connect() as sock:
            sock.sendall(self.head(f"Content-Length: {size}") + bytes(size))

            assert response_of(sock)[0] == 404

    def test_a_body_is_invited_when_it_is_read(self, serve: Callable[..., Served]) -> None:
        served = serve()
        with served.connect() as sock:
            sock.sendall(self.head("Content-Length: 5", "Expect: 100-continue"))
            response = sock.recv(1000)

            assert response.startswith(b"HTTP/1.1 404")
            assert b"Connection: close" in response
        with served.connect() as sock:
            sock.sendall(self.head("Content-Length: 5", "Expect: 100-continue").replace(b"nothing", b"echo"))
            assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(b"hello" + REQUEST)

            assert response_of(sock)[2] == b"hello"
            assert response_of(sock)[0] == 200


def test_a_response_that_cannot_be_encoded_is_a_gateway_failure(serve: Callable[..., Served]) -> None:
    with serve().connect() as sock:
        sock.sendall(b"GET /bad-header HTTP/1.1\r\nHost: gateway\r\n\r\n")
        status, _, body = response_of(sock)

    assert (status, json.loads(body)["error"]["code"]) == (500, "server_error")


class TestDescriptors:
    def test_as_many_as_there_may_be(self, serve: Callable[..., Served]) -> None:
        """The soft limit is raised, and what is waiting makes room for what comes."""
        served = serve(descriptors=128)
        with ExitStack() as opened:
            for _ in range(300):
                sock = opened.enter_context(served.connect())
                sock.sendall(REQUEST)
                assert response_of(sock)[0] == 200

    def test_none_left(self, serve: Callable[..., Served]) -> None:
        """Then each client that sends a request is answered so."""
        served = serve(descriptors=128)
        with ExitStack() as opened, served.connect() as control:
            control.sendall(b"GET /hoard HTTP/1.1\r\nHost: gateway\r\n\r\n")
            assert response_of(control)[0] == 200
            statuses = []
            for _ in range(30):
                sock = opened.enter_context(served.connect())
                sock.sendall(b"GET /stream/60.0 HTTP/1.1\r\nHost: gateway\r\n\r\n")
                response = http.client.HTTPResponse(sock)
                response.begin()
                statuses.append(response.status)
                if response.status == 503:
                    assert json.loads(response.read())["error"]["code"] == "out_of_descriptors"

            assert set(statuses) == {200, 503}

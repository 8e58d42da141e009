"""A request that an upstream may have begun is sent once; one that it cannot have begun is sent again."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.errors import UpstreamUnreachable
from app.upstream import connections, socket_state
from app.upstream.cancellation import Cancellation
from app.upstream.client import RequestContent, UpstreamClient
from app.upstream.errors import from_exception
from app.upstream.responses import UpstreamResponse
from tests.app.upstream.test_client import account
from tests.support.tls import make_certificate

ADDRESS = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 2\r\n\r\n{}"
LARGE = b"x" * 16 * 1024 * 1024  # more than the buffers of both ends hold
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: a close that sends RST

Step = Callable[["Upstream", socket.socket], None]


class Upstream:
    """Does *steps* with its connections, one list for each; counts the requests that it has read whole."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.requests = 0
        self.connections = 0
        self.close_requested, self.closed = threading.Event(), threading.Event()
        self.plans: list[list[Step]] = []
        self._tls = tls
        self._listener = socket.create_server((ADDRESS, 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self.close_requested.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                raw.settimeout(5)
                plan = self.plans[self.connections]
                self.connections += 1
                with suppress(OSError):
                    peer = self._tls.wrap_socket(raw, server_side=True) if self._tls else raw
                    with peer:
                        for step in plan:
                            step(self, peer)


def read(upstream: Upstream, peer: socket.socket) -> None:
    """Read one request to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(peer)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    left = length - len(body)
    while left > 0:
        left -= len(received(peer))
    upstream.requests += 1


def received(peer: socket.socket) -> bytes:
    data = peer.recv(65536)
    if not data:
        raise OSError("closed")
    return data


def read_some(upstream: Upstream, peer: socket.socket) -> None:
    received(peer)


def response(upstream: Upstream, peer: socket.socket) -> None:
    peer.sendall(OK)


def close(upstream: Upstream, peer: socket.socket) -> None:
    peer.close()
    upstream.closed.set()


def reset(upstream: Upstream, peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    close(upstream, peer)


def wait(upstream: Upstream, peer: socket.socket) -> None:
    """Wait for the test's signal: a reset would discard a response that was not read yet."""
    upstream.close_requested.wait(5)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"), address=ADDRESS)


@pytest.fixture(params=["plain", "tls"])
def upstream(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
) -> Iterator[Upstream]:
    context = None
    if request.param == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    upstream = Upstream(context)
    yield upstream
    upstream.end()


@pytest.fixture
def send(client: UpstreamClient, upstream: Upstream) -> Callable[..., UpstreamUnreachable | None]:
    """Send a request; return how it failed, None if it was answered."""
    scheme = "https" if upstream._tls else "http"
    to = account(f"{scheme}://{ADDRESS}:{upstream.port}/v1")

    def sent(body: bytes = b"{}") -> UpstreamUnreachable | None:
        sending = client.post(
            to, "chat", RequestContent([body]), headers_timeout_seconds=5.0, cancellation=Cancellation()
        )
        try:
            answered = sending.wait(10)
        except UpstreamUnreachable as error:
            return error
        assert isinstance(answered, UpstreamResponse)
        while answered.body.read(5):
            pass
        answered.body.finish(1)
        return None

    return sent


Send = Callable[..., UpstreamUnreachable | None]


class TestFreshConnection:
    @pytest.mark.parametrize("end", [close, reset])
    def test_a_fully_sent_request_may_have_been_started(
        self, upstream: Upstream, send: Send, end: Step
    ) -> None:
        upstream.plans = [[read, end], [read, response]]

        error = send()

        assert error is not None
        assert error.sent
        assert upstream.requests == 1

    def test_part_of_a_request_is_not_begun(self, upstream: Upstream, send: Send) -> None:
        upstream.plans = [[read_some, reset]]

        error = send(LARGE)

        assert error is not None
        assert not error.sent
        assert upstream.connections == 1


class TestReusedConnection:
    @pytest.mark.parametrize("end", [close, reset])
    def test_a_fully_sent_request_may_have_been_started(
        self, upstream: Upstream, send: Send, end: Step
    ) -> None:
        upstream.plans = [[read, response, read, end], [read, response]]
        assert send() is None

        error = send()

        assert error is not None
        assert error.sent
        assert (upstream.requests, upstream.connections) == (2, 1)

    @pytest.mark.parametrize("looks_well", [False, True])
    @pytest.mark.parametrize("end", [close, reset])
    def test_one_that_was_closed_before_is_not_written_to(
        self,
        upstream: Upstream,
        send: Send,
        end: Step,
        looks_well: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The pool notices it when it returns a connection, or the write fails."""
        upstream.plans = [[read, response, wait, end], [read, response]]
        if looks_well:
            monkeypatch.setattr(connections._GuardedConnection, "is_connected", True)
        assert send() is None
        upstream.close_requested.set()
        assert upstream.closed.wait(5)

        assert send() is None
        assert (upstream.requests, upstream.connections) == (2, 2)

    @pytest.mark.skipif(
        not hasattr(socket, "TCP_INFO"), reason="the system does not count what is acknowledged"
    )
    def test_close_that_crosses_the_request_proves_that_it_was_not_begun(
        self, upstream: Upstream, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upstream.plans = [[read, response, wait, close], [read, response]]
        assert send() is None

        def closed_right_after(sock: Any) -> bool:
            found = socket_state.is_readable(sock)
            upstream.close_requested.set()
            assert upstream.closed.wait(5)
            return found

        monkeypatch.setattr(connections._GuardedConnection, "is_connected", True)
        monkeypatch.setattr(connections, "is_readable", closed_right_after)

        error = send()

        if upstream._tls:  # a reset that follows at once, as on one machine, hides the proof
            assert error is not None
            assert error.sent
        else:
            assert error is None
            assert (upstream.requests, upstream.connections) == (2, 2)

    def test_without_proof_it_may_have_been_begun(
        self, upstream: Upstream, send: Send, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on systems that do not count what was acknowledged."""
        upstream.plans = [[read, response, read, close], [read, response]]
        monkeypatch.setattr(connections, "tcp_state", lambda sock: None)
        assert send() is None

        error = send()

        assert error is not None
        assert error.sent

    def test_part_of_a_request_is_sent_again(self, upstream: Upstream, send: Send) -> None:
        upstream.plans = [[read, response, read_some, reset], [read, response]]
        assert send() is None

        assert send(LARGE) is None
        assert (upstream.requests, upstream.connections) == (2, 2)


def test_pooled_connections_that_are_all_closed_end_in_an_error() -> None:
    tries: list[int] = []

    def send() -> None:
        tries.append(1)
        raise connections.StaleConnection("closed")

    with pytest.raises(connections.StaleConnection) as caught:
        connections.on_live_connection(send)

    error = from_exception(caught.value)
    assert isinstance(error, UpstreamUnreachable)
    assert not error.sent
    assert len(tries) == connections.MAX_REUSED_TRIES

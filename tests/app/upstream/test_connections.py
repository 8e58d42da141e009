"""Requests are sent in one write, and closed connection pools are replaced."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from urllib3.connection import HTTPConnection
from urllib3.util import SKIP_HEADER

from app.accounts.request_settings import RequestSettings
from app.errors import UpstreamUnreachable
from app.upstream import connections
from app.upstream.cancellation import Cancellation
from app.upstream.client import UpstreamClient
from tests.app.upstream.test_client import account, answered, post
from tests.support.tls import make_certificate, tls_proxy
from tests.support.upstream_client import ScriptedUpstream

pytest_plugins = ["tests.support.upstream_fixtures"]


class Written:
    """A socket that only remembers what it was given, call by call."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []

    def send(self, data: Any) -> int:
        self.calls.append(bytes(data))
        return len(data)

    sendall = send

    def settimeout(self, seconds: float | None) -> None: ...


def written(body: bytes) -> list[bytes]:
    connection: Any = connections._AnyHttpConnection("127.0.0.1", 1)
    connection.sock = sock = Written()
    connection.request("POST", "/v1/x", body, {"Content-Length": str(len(body))})
    return sock.calls


def test_a_request_is_one_write() -> None:
    (data,) = written(b"body")

    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/x HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 4" in head
    assert body == b"body"


def test_a_large_body_is_not_copied_behind_its_head() -> None:
    body = b"x" * connections.JOINED_BYTES

    head, after = written(body)

    assert head.endswith(b"\r\n\r\n")
    assert after == body


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "0", "X-Plain": "a b\tc", "X-Empty": ""},
        {"Content-Length": "0", "X-Other-Letters": "\xe9"},
        {"Content-Length": "0", "X-Bytes": b"a"},
        {"Content-Length": "0", "X-Folded": "a\r\n b"},
        {"Content-Length": "0", "User-Agent": SKIP_HEADER},
        {"Content-Length": "0", "accept-encoding": "identity", "Host": "other.example"},
    ],
)
def test_heads_are_those_of_urllib3(headers: dict[str, str]) -> None:
    sent = []
    for kind in (connections._AnyHttpConnection, HTTPConnection):
        connection: Any = kind("127.0.0.1", 1)
        connection.sock = sock = Written()
        connection.request("POST", "/v1/x", b"", headers)
        sent.append(b"".join(sock.calls))

    assert sent[0] == sent[1]


def test_a_request_that_cannot_be_made_is_not_sent_in_part() -> None:
    connection: Any = connections._AnyHttpConnection("127.0.0.1", 1)
    connection.sock = sock = Written()

    with pytest.raises(ValueError, match="header"):
        connection.request("POST", "/v1/x", b"body", {"X-Bad": "a\r\nb"})

    assert sock.calls == []


def test_an_answer_that_is_not_http_before_the_request_is_sent() -> None:
    """The upstream cannot have begun the request, so it bills nothing."""

    class Broken:
        """A socket whose peer has answered and closed."""

        def sendall(self, data: bytes) -> None:
            raise BrokenPipeError

        send = sendall

        def makefile(self, *args: Any) -> Any:
            return io.BytesIO(b"SSH-2.0-OpenSSH_9.6\r\n")

        def fileno(self) -> int:
            raise OSError

        def settimeout(self, seconds: float) -> None: ...

        def close(self) -> None: ...

    connection: Any = connections._AnyHttpConnection("127.0.0.1", 1)
    connection.sock = Broken()
    with pytest.raises(BrokenPipeError):
        connection.request("POST", "/v1/x", b"body", {})

    with pytest.raises(connections.RequestNotStarted):
        connection.getresponse()


def test_a_closed_pool_is_replaced(client: UpstreamClient, upstream: ScriptedUpstream) -> None:
    """As urllib3 does with the least recently used pool, when there are more hosts than pools."""
    to = account(upstream.base_url())
    answered(post(client, to, Cancellation())).body.close()
    client._anywhere.close()
    client._public.close()

    assert answered(post(client, to, Cancellation())).status == 200


@pytest.fixture
def request_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The requests to a proxy that the environment names; each is answered with an empty object."""
    lines: list[bytes] = []

    def serve(proxy: socket.socket) -> None:
        client, _ = proxy.accept()
        with client:
            lines.append(client.recv(65536).partition(b"\r\n")[0])
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "")
        serving = threading.Thread(target=serve, args=(proxy,))
        serving.start()
        yield lines
        serving.join(5)


def test_a_proxy_receives_the_absolute_address(client: UpstreamClient, request_lines: list[bytes]) -> None:
    answered(post(client, account("http://api.example.com/v1"), Cancellation()))

    assert request_lines == [b"POST http://api.example.com/v1/chat/completions HTTP/1.1"]


def test_models_are_listed_through_a_proxy(client: UpstreamClient, request_lines: list[bytes]) -> None:
    assert client.get_json(account("http://api.example.com/v1"), "/models") == {}
    assert request_lines == [b"GET http://api.example.com/v1/models HTTP/1.1"]


def test_certificates_of_an_account_have_connections_of_their_own(
    client: UpstreamClient, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    """They are shared by accounts with the same certificates, and used again."""
    certificate = make_certificate(tmp_path, address="127.0.0.1")
    plain = urlsplit(upstream.base_url())
    with tls_proxy(plain.port or 0, *certificate) as port:
        settings = RequestSettings(ca_certificates=certificate[0].read_text())
        usual = account(f"https://127.0.0.1:{port}{plain.path}")
        one, other = (replace(usual, id=name, settings=settings) for name in ("one", "other"))
        for each in (one, other, one):
            body = answered(post(client, each, Cancellation())).body
            while body.read(5):
                pass
            body.finish(0.1)
        with pytest.raises(UpstreamUnreachable, match="certificate"):
            answered(post(client, usual, Cancellation()))

    assert len({seen.connection for seen in upstream.log()}) == 1

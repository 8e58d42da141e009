"""Requests to accounts with a proxy of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from app.accounts.account import Account
from app.accounts.own_proxy import proxy_of
from app.accounts.request_settings import RequestSettings
from app.errors import UpstreamUnreachable
from app.upstream.cancellation import Cancellation
from app.upstream.client import UpstreamClient
from tests.app.upstream.test_client import account, answered, post
from tests.support.ports import free_port
from tests.support.proxies import http_proxy, socks_proxy
from tests.support.tls import make_certificate, tls_proxy
from tests.support.upstream_client import ScriptedUpstream

pytest_plugins = ["tests.support.upstream_fixtures"]


def proxied(base_url: str, proxy: str, **more: Any) -> Account:
    return replace(account(base_url), settings=RequestSettings(proxy=proxy_of(proxy), **more))


def send(client: UpstreamClient, to: Account) -> int:
    """Send a request, read its response, and return the status."""
    response = answered(post(client, to, Cancellation()))
    while response.body.read(5):
        pass
    response.body.finish(0.1)
    return response.status


def test_http(client: UpstreamClient, upstream: ScriptedUpstream) -> None:
    """The proxy receives the absolute address, and the credentials."""
    with http_proxy("p w") as (port, seen):
        assert send(client, proxied(upstream.base_url(), f"http://ann:p%20w@127.0.0.1:{port}")) == 200

    address = f"{upstream.base_url()}/chat/completions"
    assert seen == [(f"POST {address}", "ann:p w")]
    assert "proxy-authorization" not in upstream.log()[0].headers or len(seen) == 1


def test_https_is_a_tunnel(client: UpstreamClient, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    """The certificates of the account verify the server behind it, and the tunnel is used again."""
    certificate = make_certificate(tmp_path, address="127.0.0.1")
    plain = urlsplit(upstream.base_url())
    with http_proxy("secret") as (port, seen), tls_proxy(plain.port or 0, *certificate) as tls_port:
        to = proxied(
            f"https://127.0.0.1:{tls_port}{plain.path}",
            f"http://ann:secret@127.0.0.1:{port}",
            ca_certificates=certificate[0].read_text(),
        )
        assert (send(client, to), send(client, to)) == (200, 200)
        untrusting = replace(to, id="u", settings=replace(to.settings, ca_certificates=""))
        with pytest.raises(UpstreamUnreachable, match="certificate"):
            send(client, untrusting)

    assert seen[0] == (f"CONNECT 127.0.0.1:{tls_port}", "ann:secret")
    assert len({each.connection for each in upstream.log()}) == 1
    assert "proxy-authorization" not in upstream.log()[0].headers


@pytest.mark.filterwarnings("default:Unverified HTTPS request")  # an error, it would stop what is tested
class TestOverTls:
    """The proxy itself speaks TLS. Its certificate is verified by the usual authorities."""

    @pytest.fixture
    def certificate(self, tmp_path: Path) -> tuple[Path, Path]:
        return make_certificate(tmp_path, address="127.0.0.1")

    def test_it_is_used(
        self,
        client: UpstreamClient,
        upstream: ScriptedUpstream,
        certificate: tuple[Path, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
        with http_proxy("secret") as (plain_port, seen), tls_proxy(plain_port, *certificate) as port:
            to = proxied(upstream.base_url(), f"https://ann:secret@127.0.0.1:{port}")
            assert send(client, to) == 200

        assert seen == [(f"POST {upstream.base_url()}/chat/completions", "ann:secret")]

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_one_that_is_not_trusted_is_sent_nothing(
        self,
        client: UpstreamClient,
        upstream: ScriptedUpstream,
        certificate: tuple[Path, Path],
        scheme: str,
    ) -> None:
        base_url = upstream.base_url().replace("http:", f"{scheme}:")
        with (
            http_proxy() as (plain_port, seen),
            tls_proxy(plain_port, *certificate) as port,
            pytest.raises(UpstreamUnreachable),
        ):
            send(client, proxied(base_url, f"https://ann:secret@127.0.0.1:{port}"))

        assert seen == []

    def test_nor_one_of_the_environment(
        self,
        client: UpstreamClient,
        upstream: ScriptedUpstream,
        certificate: tuple[Path, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with http_proxy() as (plain_port, seen), tls_proxy(plain_port, *certificate) as port:
            monkeypatch.setenv("http_proxy", f"https://ann:secret@127.0.0.1:{port}")
            monkeypatch.delenv("no_proxy", raising=False)
            with pytest.raises(UpstreamUnreachable):
                send(client, account(upstream.base_url()))

        assert seen == []


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks(client: UpstreamClient, upstream: ScriptedUpstream, scheme: str) -> None:
    """The host is resolved here, or by the proxy; the connection is used again."""
    base_url = upstream.base_url().replace("127.0.0.1", "localhost")
    with socks_proxy() as (port, seen):
        to = proxied(base_url, f"{scheme}://ann:secret@127.0.0.1:{port}")
        assert (send(client, to), send(client, to)) == (200, 200)

    host = "localhost" if scheme == "socks5h" else "127.0.0.1"
    assert seen == [(f"{host}:{urlsplit(base_url).port}", "ann:secret")]


def test_socks_with_tls(client: UpstreamClient, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, address="127.0.0.1")
    plain = urlsplit(upstream.base_url())
    with socks_proxy() as (port, seen), tls_proxy(plain.port or 0, *certificate) as tls_port:
        to = proxied(
            f"https://127.0.0.1:{tls_port}{plain.path}",
            f"socks5h://127.0.0.1:{port}",
            ca_certificates=certificate[0].read_text(),
        )
        assert send(client, to) == 200

    assert seen == [(f"127.0.0.1:{tls_port}", "")]


def test_of_one_account_alone(client: UpstreamClient, upstream: ScriptedUpstream) -> None:
    """A change takes effect with the next version, and others are reached without it."""
    with http_proxy() as (port, seen):
        to = proxied(upstream.base_url(), f"http://127.0.0.1:{port}")
        send(client, to)
        send(client, replace(account(upstream.base_url()), id="other"))
        send(client, replace(to, version=to.version + 1, settings=RequestSettings()))

    assert len(seen) == 1
    assert len(upstream.log()) == 3


def test_in_place_of_that_of_the_environment(
    client: UpstreamClient, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http_proxy() as (port, seen):
        assert send(client, proxied(upstream.base_url(), f"http://127.0.0.1:{port}")) == 200

    assert len(seen) == 1


def test_models_are_listed_through_it(client: UpstreamClient, upstream: ScriptedUpstream) -> None:
    with http_proxy() as (port, seen):
        client.get_json(proxied(upstream.base_url(), f"http://127.0.0.1:{port}"), "/models")

    assert seen == [(f"GET {upstream.base_url()}/models", "")]


class TestFailures:
    def test_refused_credentials(self, client: UpstreamClient, upstream: ScriptedUpstream) -> None:
        """Nothing was sent to the upstream, so another account may be tried."""
        with http_proxy("right") as (port, _):
            to = proxied("https://127.0.0.1:1/v1", f"http://ann:wrong@127.0.0.1:{port}")
            with pytest.raises(UpstreamUnreachable, match="The proxy on the way") as raised:
                send(client, to)

        assert not raised.value.sent

    @pytest.mark.parametrize("scheme", ["http", "socks5h"])
    def test_no_proxy_there(self, client: UpstreamClient, scheme: str) -> None:
        to = proxied("https://127.0.0.1:1/v1", f"{scheme}://127.0.0.1:{free_port()}")
        with pytest.raises(UpstreamUnreachable) as raised:
            send(client, to)

        assert not raised.value.sent


class TestForbiddenAddresses:
    def test_a_name_that_is_resolved_here(
        self, client: UpstreamClient, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As without a proxy: an openai account must not lead to a private address."""
        monkeypatch.setattr("socks.socket.getaddrinfo", _to_loopback)
        base_url = upstream.base_url().replace("127.0.0.1", "api.example.com")
        with socks_proxy() as (port, _):
            public = replace(proxied(base_url, f"socks5://127.0.0.1:{port}"), kind="openai")
            with pytest.raises(UpstreamUnreachable, match="an address that is not public"):
                send(client, public)
            assert upstream.log() == []
            assert send(client, replace(public, id="c", kind="compatible")) == 200


def _to_loopback(host: str, port: int, *_: Any) -> list[Any]:
    import socket

    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

"""A name may resolve to any address at any time, so the address of the connection is checked."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from app.errors import UpstreamRedirected, UpstreamUnreachable
from app.upstream import connections
from app.upstream.cancellation import Cancellation
from app.upstream.client import UpstreamClient
from app.upstream.ssrf_guard import ForbiddenAddress, check_peer
from tests.app.upstream.test_client import account, answered, post
from tests.support.upstream_client import ScriptedUpstream

NAME = "api.example.com"


@pytest.fixture(autouse=True)
def _leads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let NAME resolve to this machine, as its owner could at any time."""
    resolve = socket.getaddrinfo

    def resolved(host: str, *args: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host == NAME else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.mark.parametrize("kind", ["openai", "chatgpt"])
def test_a_name_that_leads_to_this_machine_is_refused(
    client: UpstreamClient, upstream: ScriptedUpstream, kind: str
) -> None:
    to = account(upstream.base_url().replace("127.0.0.1", NAME), kind)

    with pytest.raises(UpstreamUnreachable, match="not public") as refused:
        answered(post(client, to, Cancellation()))
    with pytest.raises(UpstreamUnreachable, match="not public"):
        client.get_json(to, "/models")

    assert not refused.value.sent
    assert upstream.log() == []


def test_a_custom_server_has_a_name(client: UpstreamClient, upstream: ScriptedUpstream) -> None:
    to = account(upstream.base_url().replace("127.0.0.1", NAME), "compatible")

    assert answered(post(client, to, Cancellation())).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_explicit_address_of_this_machine_is_allowed(
    client: UpstreamClient, upstream: ScriptedUpstream, host: str
) -> None:
    to = account(upstream.base_url().replace("127.0.0.1", host))

    assert answered(post(client, to, Cancellation())).status == 200


def test_no_redirection_is_followed(client: UpstreamClient, upstream: ScriptedUpstream) -> None:
    elsewhere = {"location": upstream.base_url("b") + "/models"}
    upstream.script({"status": 302, "headers": elsewhere, "framing": "length"}, account="a", path="/models")

    with pytest.raises(UpstreamRedirected):
        client.get_json(account(upstream.base_url("a")), "/models")

    assert [seen.account for seen in upstream.log()] == ["a"]


class Connected:
    """A socket that is connected to *address*."""

    family = socket.AF_INET6

    def __init__(self, address: str) -> None:
        self._address = address
        self.closed = False

    def getpeername(self) -> tuple[str, int, int, int]:
        return self._address, 443, 0, 0

    def close(self) -> None:
        self.closed = True


def came_out_at(address: str, host: str, *, may: bool, proxy: Any = None) -> bool:
    connection, sock = connections._PublicHttpConnection(host, 443, proxy=proxy), Connected(address)
    try:
        check_peer(connection, sock, names_may_be_private=may)  # type: ignore[arg-type]
    except ForbiddenAddress:
        assert sock.closed
        return False
    return True


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.5", "192.168.1.1", "172.16.0.1", "127.0.0.1", "100.64.0.1", "0.0.0.0"),
        *("::1", "fd12::1", "::ffff:10.0.0.5", "64:ff9b::10.0.0.5"),
    ],
)
def test_private_addresses(address: str) -> None:
    assert not came_out_at(address, NAME, may=False)
    assert came_out_at(address, NAME, may=True)
    assert came_out_at(address, "10.0.0.5", may=False)
    assert came_out_at(address, "ollama", may=False)


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254"),
        *("100.100.100.200", "168.63.129.16", "192.0.0.192"),
        *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b::a83f:8110", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::"),
        *("2002:a9fe:a9fe::1", "2002:6464:64c8::", "::ffff:0:169.254.169.254", "::169.254.169.254"),
        "2001:0:808:808::5601:5601",  # Teredo has the client's address inverted
    ],
)
def test_a_metadata_service_is_always_forbidden(address: str) -> None:
    assert not came_out_at(address, NAME, may=True)
    assert not came_out_at(address, "localhost", may=True)


@pytest.mark.parametrize(
    "address", ["104.18.7.192", "2606:4700::6812:7c0", "::ffff:104.18.7.192", "64:ff9b::104.18.7.192"]
)
def test_public_addresses(address: str) -> None:
    assert came_out_at(address, NAME, may=False)


def test_a_proxy_is_the_operators_own() -> None:
    """Any address is allowed for a proxy, except a metadata service."""
    assert came_out_at("10.0.0.5", NAME, may=False, proxy="http://proxy:3128")
    assert not came_out_at("169.254.169.254", NAME, may=True, proxy="http://proxy:3128")

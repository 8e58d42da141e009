"""The address of the client, which limits of sign-in attempts uses: clients must not be able to choose it."""

from __future__ import annotations

import pytest

from app.server.client_address import Proxies

NGINX, EDGE, CLIENT, LIE = "127.0.0.1", "10.0.0.9", "203.0.113.7", "198.51.100.1"


def client(peer: str, forwarded: str | None, *trusted: str) -> str:
    environ = {"REMOTE_ADDR": peer}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    return Proxies(trusted).client_of(environ)


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "found"),
    [
        (CLIENT, None, (NGINX,), CLIENT),
        (NGINX, None, (NGINX,), NGINX),
        (NGINX, CLIENT, (NGINX,), CLIENT),
        (NGINX, f"{CLIENT}, {EDGE}", (NGINX, "10.0.0.0/8"), CLIENT),
        (NGINX, f"{EDGE}", (NGINX, "10.0.0.0/8"), EDGE),
        ("::1", "2001:db8::7", ("::1",), "2001:db8::7"),
        ("::ffff:127.0.0.1", CLIENT, (NGINX,), CLIENT),
        (NGINX, f"{CLIENT}:4711", (NGINX,), CLIENT),
        (NGINX, "[2001:db8::7]:4711", (NGINX,), "2001:db8::7"),
        (EDGE, CLIENT, ("*",), CLIENT),
    ],
)
def test_headers_of_trusted_proxies_count(peer, forwarded, trusted, found):
    assert client(peer, forwarded, *trusted) == found


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "found"),
    [
        (CLIENT, LIE, (NGINX,), CLIENT),
        (CLIENT, LIE, (), CLIENT),
        (NGINX, f"{LIE}, {CLIENT}", (NGINX,), CLIENT),
        (NGINX, f"{NGINX}, {LIE}, {CLIENT}", (NGINX,), CLIENT),
        (NGINX, f"{LIE}, {CLIENT}, {EDGE}", (NGINX, EDGE), CLIENT),
        (EDGE, f"{LIE}, {CLIENT}", ("*",), CLIENT),
    ],
)
def test_an_address_that_the_client_claims_is_ignored(peer, forwarded, trusted, found):
    assert client(peer, forwarded, *trusted) == found


@pytest.mark.parametrize("forwarded", ["", ",", "unknown", "<script>", "a, b", "1.2.3.4.5", "x" * 5000])
@pytest.mark.parametrize("trusted", [NGINX, "*"])
def test_texts_that_are_not_addresses(forwarded, trusted):
    assert client(NGINX, forwarded, trusted) == NGINX


def test_a_unix_socket_has_none():
    assert client("", CLIENT, NGINX) == ""

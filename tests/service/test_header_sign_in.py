"""A header that names an operator, through a real nginx and around it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import requests

from tests.support.gateway import running_gateway
from tests.support.nginx import MARKS, running_nginx
from tests.support.ports import free_port

SERVER = """
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_bind 127.0.0.2;
      proxy_pass http://127.0.0.1:{gateway};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-User ann;
    }}
  }}
"""

pytestmark = MARKS


@pytest.fixture(scope="module")
def addresses(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The gateway by way of nginx, which verified ann, and the gateway itself."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    settings = {
        "POOLGATE_USER_HEADER": "X-Forwarded-User",
        "POOLGATE_USER_HEADER_FROM": "127.0.0.2",
        "POOLGATE_ROLES": "viewer=*",
    }
    with running_gateway(redis_url, tmp_path_factory.mktemp("home"), workers=1, **settings) as running:
        operators = running.services.operator_stores.operators
        if not operators.has("root"):
            operators.create("root", "correct horse battery")
        server = SERVER.format(port=port, gateway=running.url.rpartition(":")[2])
        with running_nginx(folder, port, server):
            yield f"http://127.0.0.1:{port}", running.url
        for name in ("ann", "eve"):
            if operators.has(name):
                operators.remove(name)


def shown(address: str, **headers: str) -> str:
    with requests.Session() as session:
        return session.get(f"{address}/admin/security", headers=headers, timeout=20).text


def test_through_the_proxy(addresses: tuple[str, str]) -> None:
    assert "Your sign-in, ann" in shown(addresses[0])


@pytest.mark.parametrize("name", ["X-Forwarded-User", "x-forwarded-user", "X_Forwarded_User"])
def test_the_proxy_replaces_what_a_client_sends(addresses: tuple[str, str], name: str) -> None:
    assert "Your sign-in, ann" in shown(addresses[0], **{name: "root"})


@pytest.mark.parametrize("name", ["X-Forwarded-User", "X_Forwarded_User"])
def test_around_the_proxy(addresses: tuple[str, str], name: str) -> None:
    page = shown(addresses[1], **{name: "ann", "X-Forwarded-For": "127.0.0.2"})

    assert "Your sign-in" not in page
    assert "Password" in page


def test_an_underscore_from_the_address_of_the_proxy(addresses: tuple[str, str]) -> None:
    """In WSGI both spellings are one variable: gunicorn drops the one with underscores."""
    host, _, port = addresses[1].rpartition("/")[2].partition(":")
    lines = ("GET /admin/sign-in HTTP/1.1", f"Host: {host}", "X_Forwarded_User: eve", "Connection: close")
    with socket.create_connection((host, int(port)), 10, ("127.0.0.2", 0)) as sock:
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        head = sock.makefile("rb").readline()

    assert b" 200 " in head  # the form, not the redirect of a sign-in

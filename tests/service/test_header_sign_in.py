"""A header that names an operator, through a real nginx and around it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest
import requests

from tests.support.gateway import running_gateway
from tests.support.ports import free_port, wait_for

PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
CONFIG = """
{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_bind 127.0.0.2;
      proxy_pass http://127.0.0.1:{gateway};
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-User ann;
    }}
  }}
}}
"""

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")]


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
        user = "user root;" if os.getuid() == 0 else ""
        gateway = running.url.rpartition(":")[2]
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(user=user, folder=folder, port=port, gateway=gateway))
        with subprocess.Popen([str(PROGRAM), "-p", str(folder), "-c", str(config)]) as process:
            try:
                wait_for(port)
                yield f"http://127.0.0.1:{port}", running.url
            finally:
                process.terminate()
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

"""The admin sign-in as a network client meets it: real gunicorn, real headers."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.operators.sign_in_throttle import NAME_AND_ADDRESS
from app.stores.records.operators import NewAdminToken
from tests.support.gateway import Gateway, running_gateway
from tests.support.ports import free_port
from tests.support.redis import private_redis

PASSWORD = "correct horse battery"
TIMEOUT = 60
NO_ONE = "192.0.2.1"  # an address that no test comes from


@pytest.fixture
def store() -> Iterator[str]:
    """A Redis of one test's own: operators are of no pool."""
    with private_redis() as url:
        yield url


class Browser(requests.Session):
    def __init__(self, url: str, **headers: str) -> None:
        super().__init__()
        self.url = url
        self.headers.update(headers)

    def see(self, path: str, **more: Any) -> requests.Response:
        return self.get(self.url + path, timeout=TIMEOUT, allow_redirects=False, **more)

    def fill_in(self, path: str, form: dict[str, str], **more: Any) -> requests.Response:
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.see(path).text)
        assert token, path
        return self.post(
            self.url + path,
            {"csrf_token": token[1], **form},
            timeout=TIMEOUT,
            allow_redirects=False,
            **more,
        )

    def sign_in(self, password: str = PASSWORD) -> requests.Response:
        return self.fill_in("/admin/sign-in", {"name": "ann", "password": password})

    def is_signed_in(self) -> bool:
        return self.see("/admin/security").status_code == 200


def operator(gateway: Gateway) -> None:
    gateway.services.operator_stores.operators.create("ann", PASSWORD)


def test_from_the_first_start_to_signing_out_everywhere(store: str, tmp_path: Path) -> None:
    """Over two web processes, which share what they know."""
    with (
        (tmp_path / "log").open("wb") as log,
        running_gateway(store, tmp_path, stderr=log, POOLGATE_LOG_LEVEL="debug") as gateway,
    ):
        token = gateway.services.operator_stores.operators.new_start_token()
        assert token is not None
        first, second = Browser(gateway.url), Browser(gateway.url)
        start = {"token": token, "name": "ann", "password": PASSWORD, "password_again": PASSWORD}
        assert first.fill_in("/admin/first-start", start).headers["Location"] == "/admin/"
        assert second.sign_in().headers["Location"] == "/admin/"
        assert [first.is_signed_in(), second.is_signed_in()] * 3 == [True, True] * 3
        Browser(gateway.url).sign_in("wrong horse battery")

        gateway.services.operator_stores.sessions.end_all("ann")

        assert [first.is_signed_in(), second.is_signed_in()] * 3 == [False, False] * 3
        secret = gateway.services.operator_stores.admin_tokens.create(NewAdminToken("ci", "ann"))[1]
        bearer = {"Authorization": f"Bearer {secret}"}
        assert first.see("/admin/security", headers=bearer).status_code == 303
        cookies = {cookie.value for browser in (first, second) for cookie in browser.cookies}
    reply = (tmp_path / "log").read_text()
    assert not [one for one in (PASSWORD, "wrong horse", token, secret, *cookies) if one and one in reply]


def test_a_header_makes_no_other_address_and_no_https(store: str, tmp_path: Path) -> None:
    """From whom no proxy is trusted, forwarded addresses and schemes are words."""
    with running_gateway(store, tmp_path, workers=1, FORWARDED_ALLOW_IPS=NO_ONE) as gateway:
        operator(gateway)
        statuses = []
        for number in range(NAME_AND_ADDRESS + 1):
            forged = f"198.51.100.{number}"
            browser = Browser(
                gateway.url,
                **{"X-Forwarded-For": forged, "X-Real-IP": forged, "Forwarded": f"for={forged};proto=https"},
                **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.test", "Host": "evil.test"},
            )
            response = browser.sign_in("wrong horse battery")
            statuses.append(response.status_code)
            assert "evil.test" not in response.text + str(response.headers)
            assert "Secure" not in response.headers.get("Set-Cookie", "")

    assert statuses == [401] * NAME_AND_ADDRESS + [429]


def test_a_trusted_proxy_is_believed_what_it_saw(store: str, tmp_path: Path) -> None:
    """Each client behind it is counted apart, by what the proxy appended, and https makes a Secure cookie."""
    with running_gateway(store, tmp_path, workers=1) as gateway:
        operator(gateway)
        forged = (f"198.51.100.{number}, 203.0.113.7" for number in range(NAME_AND_ADDRESS + 1))
        statuses = [
            Browser(gateway.url, **{"X-Forwarded-For": one}).sign_in("wrong horse battery").status_code
            for one in forged
        ]
        assert statuses == [401] * NAME_AND_ADDRESS + [429]

        neighbour = {"X-Forwarded-For": "203.0.113.8", "X-Forwarded-Proto": "https"}
        page = requests.get(f"{gateway.url}/admin/sign-in", headers=neighbour, timeout=TIMEOUT)
        assert page.headers["Set-Cookie"].startswith("__Secure-poolgate=")
        assert "; Secure" in page.headers["Set-Cookie"]
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        response = requests.post(
            f"{gateway.url}/admin/sign-in",
            {"csrf_token": token[1], "name": "ann", "password": PASSWORD},
            headers=neighbour | {"Cookie": cookie},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        assert (response.status_code, response.headers["Location"]) == (303, "/admin/")
        assert gateway.services.operator_stores.sessions.all("ann")[0].address == "203.0.113.8"


def test_switched_off_there_is_nothing_there(store: str, tmp_path: Path) -> None:
    with running_gateway(store, tmp_path, workers=1, POOLGATE_ADMIN="off") as gateway:
        nothing = Browser(gateway.url).see("/nothing-there").json()
        for path in ("/admin", "/admin/", "/admin/sign-in", "/admin/api/keys", "/admin/static/poolgate.css"):
            response = Browser(gateway.url).see(path)
            assert (response.status_code, response.json()) == (404, nothing)


def test_with_a_port_of_its_own_it_answers_there_alone(store: str, tmp_path: Path) -> None:
    port = free_port()
    with running_gateway(
        store, tmp_path, workers=1, POOLGATE_ADMIN=str(port), POOLGATE_SLOW_CLIENT_SECONDS="3"
    ) as gateway:
        operator(gateway)
        main, admin = Browser(gateway.url), Browser(f"http://127.0.0.1:{port}")
        assert admin.sign_in().headers["Location"] == "/admin/"
        assert admin.is_signed_in()
        for path in ("/v1/models", "/health/ready", "/metrics", "/docs"):
            assert admin.see(path).status_code == 404
        assert main.see("/v1/models").status_code == 401
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as idle:
            idle.sendall(
                b"POST /admin/sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n\r\na=1"
            )
            assert idle.recv(12) == b"HTTP/1.1 400"  # who sends no more is not waited for
        for host in (f"127.0.0.1:{port}", f"x:{port}", "evil.test"):
            response = main.see("/admin/sign-in", headers={"Host": host, "X-Forwarded-Port": str(port)})
            assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")

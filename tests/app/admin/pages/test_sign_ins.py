"""Signing in to ChatGPT accounts by pages, against an issuer of our own."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet

from app.config import Settings
from app.web_wiring import WebServices, build_web
from tests.app.admin.pages.conftest import POOL, Furnished
from tests.support.admin import Visitor
from tests.support.issuer_client import Issuer

HOME = f"/admin/p/{POOL}/sign-ins"


@pytest.fixture
def services(redis_url: str, redis_client: Any, tmp_path: Path, issuer: Issuer) -> WebServices:
    settings = Settings(
        redis_url=redis_url,
        home=tmp_path,
        secret_keys=(Fernet.generate_key().decode(),),
        store_timeout_seconds=5.0,
        oauth_issuer=issuer.url,
    )
    return build_web(settings)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


class TestDevice:
    def test_from_name_to_account(self, inside: Visitor, services: WebServices, issuer: Issuer) -> None:
        page = inside.send(f"{HOME}/device", {"name": "ann"}).text
        found = re.search(r'class="user-code">([^<]+)<', page)
        assert found
        assert f"{issuer.url}/codex/device" in page
        form = {"do": "poll", "flow": hidden(page, "flow"), "name": "ann"}

        waiting = inside.send(f"{HOME}/device", form)
        assert "The code has not been entered yet" in waiting.text
        assert found[1] in waiting.text
        issuer.approve(found[1])
        for key in services.scripts.client.scan_iter("*:asked"):
            services.scripts.client.delete(key)  # as when the sign-in service's interval is over

        response = inside.send(f"{HOME}/device", form)
        assert (response.status_code, response.location) == (303, f"/admin/p/{POOL}/accounts/ann")
        assert services.accounts.find(POOL, "ann").signed_in

    def test_a_flow_that_is_over(self, inside: Visitor) -> None:
        """The name is still filled in, to start again."""
        response = inside.send(f"{HOME}/device", {"do": "poll", "flow": "flow_x", "name": "ann"})

        assert response.status_code == 400
        assert "please start again" in response.text
        assert 'value="ann"' in response.text

    def test_a_name_of_another_kind(self, inside: Visitor, pool: Furnished) -> None:
        pool.account("main")

        response = inside.send(f"{HOME}/device", {"name": "main"})

        assert response.status_code == 400
        assert 'id="name-error"' in response.text


class TestBrowser:
    def test_the_address_that_it_ends_at(self, inside: Visitor, services: WebServices) -> None:
        page = inside.send(f"{HOME}/browser", {"name": "ann"}).text
        form = {"do": "finish", "flow": hidden(page, "flow"), "name": "ann"}
        found = re.search(r'href="([^"]*/oauth/authorize[^"]*)"', page)
        assert found

        wrong = inside.send(f"{HOME}/browser", {**form, "address": "http://localhost:1455/?code=1&state=2"})
        assert wrong.status_code == 400
        assert 'id="address-error"' in wrong.text
        assert "state=2" in wrong.text

        end = requests.get(html.unescape(found[1]), allow_redirects=False, timeout=30).headers["Location"]
        response = inside.send(f"{HOME}/browser", {**form, "address": end})
        assert response.status_code == 303
        assert services.accounts.find(POOL, "ann").signed_in


class TestFile:
    def test_of_codex(self, inside: Visitor, services: WebServices, issuer: Issuer) -> None:
        _, tokens = issuer.sign_in()

        response = inside.send(f"{HOME}/file", {"name": "ann", "file": upload(tokens.auth_json())})

        assert response.status_code == 303
        assert services.accounts.find(POOL, "ann").signed_in
        page = inside.get(response.location).text
        assert tokens.access_token not in page
        assert tokens.refresh_token not in page

    @pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"tokens": {"access_token": "x"}}'])
    def test_what_is_no_sign_in(self, inside: Visitor, services: WebServices, content: bytes) -> None:
        response = inside.send(f"{HOME}/file", {"name": "ann", "file": upload(content)})

        assert response.status_code == 400
        assert 'id="file-error"' in response.text
        assert 'value="ann"' in response.text
        assert services.accounts.all(POOL) == []

    def test_no_file(self, inside: Visitor) -> None:
        assert inside.send(f"{HOME}/file", {"name": "ann"}).status_code == 400


def upload(content: bytes) -> Any:
    return io.BytesIO(content), "auth.json"

"""Sign-in, with a simulated sign-in service that checks its requests."""

from __future__ import annotations

import pytest
import requests

from app.cli import oauth_sign_in
from app.errors import InvalidRequest
from app.upstream.oauth import OAuth


@pytest.fixture
def oauth(issuer) -> OAuth:
    return OAuth(issuer.url, connect_timeout_seconds=5, originator="poolgate", user_agent="poolgate/1")


class TestDevice:
    def test_the_code_is_entered(self, oauth, issuer):
        def enter(line: str) -> None:
            if line.startswith(f"Open {issuer.url}/codex/device and enter the code "):
                issuer.approve(line.rpartition(" ")[2])

        tokens = oauth_sign_in.sign_in_with_code(oauth, enter)

        assert tokens.email.endswith("@example.com")
        assert tokens.account_id

    def test_the_sign_in_is_not_completed(self, oauth, monkeypatch):
        monkeypatch.setattr(oauth_sign_in, "DEVICE_SECONDS", 0)

        with pytest.raises(InvalidRequest, match="in time"):
            oauth_sign_in.sign_in_with_code(oauth, lambda line: None)


class TestBrowser:
    def test_an_operator_signs_in(self, oauth):
        """The browser follows from the page to our own, with the code."""

        def open_page(line: str) -> None:
            if line.startswith("Open http"):
                page = requests.get(line.removeprefix("Open "), timeout=10)
                assert "Signed in" in page.text

        tokens = oauth_sign_in.sign_in_with_browser(oauth, open_page, port=0, stdin=None)

        assert tokens.refresh_token

"""An error of an account's server does not show what the account is authenticated with."""

from __future__ import annotations

import pytest

from app.accounts.account import Account
from app.accounts.own_proxy import OwnProxy
from app.accounts.request_settings import RequestSettings
from app.errors import UpstreamError, UpstreamRejected
from app.upstream.echoed_secrets import HIDDEN, hide_secrets, secrets_of

ACCOUNT = Account(
    "a",
    "a",
    "openai",
    "https://upstream.test/v1",
    credential="sk-credential",
    settings=RequestSettings(
        headers={"X-Tenant": "laboratory"},
        secret_headers={"X-Token": "Bearer t-12345678", "X-Short": "abc"},
        proxy=OwnProxy("http://u@proxy.test", True, "pass-of-proxy"),
    ),
)


@pytest.mark.parametrize("secret", ["sk-credential", "Bearer t-12345678", "t-12345678", "pass-of-proxy"])
def test_hidden(secret: str) -> None:
    """In each text, also more than once; a header's value also without its scheme."""
    error = UpstreamRejected(f"{secret}, {secret}", status=400, type=secret, code=secret, param=f"-{secret}")

    error.upstream_code = secret
    hide_secrets(error, secrets_of(ACCOUNT))

    assert error.upstream_code == HIDDEN
    assert (error.message, error.type, error.code) == (f"{HIDDEN}, {HIDDEN}", HIDDEN, HIDDEN)
    assert error.param == f"-{HIDDEN}"


@pytest.mark.parametrize("text", ["abc", "laboratory", "Bearer", "upstream.test"])
def test_shown(text: str) -> None:
    """Texts that are not secret, or so short that they occur in other words, are shown."""
    assert hide_secrets(UpstreamError(text), secrets_of(ACCOUNT)).message == text


def test_absent_texts_and_secrets() -> None:
    error = UpstreamRejected("No", status=400, type="x", code=None)

    assert hide_secrets(error, secrets_of(Account("a", "a", "openai", ""))) is error
    assert (error.code, error.param) == (None, None)

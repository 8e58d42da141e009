"""Sign-ins in the store: encrypted, preserved by changes, replaced as a unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.accounts.account import Account
from app.accounts.credentials import Lease
from app.config import Settings
from app.errors import InvalidRequest
from app.stores.records.credentials import LeaseResult
from app.wiring import Services, build
from tests.support.issuer_client import signed_in
from tests.support.store_contents import everything_in

POOL = "default"


@pytest.fixture
def services(redis_client: Any, redis_url: str, tmp_path: Path) -> Services:
    return build(Settings(home=tmp_path, redis_url=redis_url, store_timeout_seconds=5))


def test_tokens_are_stored_sealed(services, issuer, redis_client):
    _, account = signed_in(services, issuer)
    tokens = services.credentials.read(POOL, account)

    stored = everything_in(redis_client)

    for secret in (tokens.access_token, tokens.refresh_token, tokens.id_token, tokens.email):
        assert secret not in stored
    assert tokens.refresh_token not in repr(account)


def test_the_list_of_accounts_has_expiry_without_decrypting_tokens(services, issuer):
    _, account = signed_in(services, issuer)

    (listed,) = services.accounts.all(POOL)

    assert (listed.signed_in, listed.expires_at, listed.rotation) == (True, account.expires_at, 1)
    assert listed.credential == ""


def test_changing_an_account_retains_its_sign_in(services, issuer):
    """Also when it was renewed after the one who changes it had read it."""
    _, account = signed_in(services, issuer)
    lease = services.credentials.lease(POOL, account, refused=True, seconds=30)
    renewed = services.credentials.store_tokens(
        POOL, account, lease, replace(lease.tokens, access_token="newer")
    )

    changed = services.accounts.change(POOL, replace(account, cap=5))

    assert (changed.cap, changed.credential, changed.rotation) == (5, "newer", renewed.rotation)


def test_a_change_of_settings_is_no_new_token(services, issuer):
    """It moves the version, which does not make the tokens look replaced."""
    _, account = signed_in(services, issuer)
    services.accounts.change(POOL, replace(account, cap=5))

    assert isinstance(services.credentials.lease(POOL, account, refused=True, seconds=30), Lease)


def test_one_lease_at_a_time(services, issuer):
    _, account = signed_in(services, issuer)
    services.credentials.lease(POOL, account, refused=True, seconds=30)

    assert services.credentials.lease(POOL, account, refused=True, seconds=30) is LeaseResult.HELD


def test_a_lease_that_ran_out_is_given_again_with_a_higher_fence(services, issuer):
    _, account = signed_in(services, issuer)
    first = services.credentials.lease(POOL, account, refused=True, seconds=0)
    second = services.credentials.lease(POOL, account, refused=True, seconds=30)

    assert (second.fence, second.tokens) == (first.fence + 1, first.tokens)


def test_an_account_without_one(services):
    services.pools.ensure(POOL)
    bare = services.accounts.add(POOL, Account("", "bare", "chatgpt", "http://up", credential="t"))

    assert services.credentials.lease(POOL, bare, refused=True, seconds=30) is LeaseResult.GONE
    with pytest.raises(InvalidRequest, match="has no sign-in"):
        services.credentials.read(POOL, bare)

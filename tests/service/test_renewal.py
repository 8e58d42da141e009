"""A token that an upstream refuses is renewed, and the same account tried again, within the request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.service.test_model_responses import CHAT, PATHS, text_of
from tests.support.gateway import PoolOfTest
from tests.support.issuer_client import Issuer, signed_in
from tests.support.upstream_client import ScriptedUpstream

REFUSED = {
    "play": "http_error",
    "status": 401,
    "body": {"error": {"message": "Expired", "code": "token_expired", "type": "invalid_request_error"}},
}


@pytest.fixture
def sign_in(pool: PoolOfTest, upstream: ScriptedUpstream, issuer: Issuer) -> str:
    """The name of the sign-in that the pool's only account has."""
    accounts = pool.gateway.services.accounts
    name, account = signed_in(pool.gateway.services, issuer, pool=pool.name)
    accounts.change(pool.name, replace(account, base_url=upstream.root_url() + "/backend-api"))
    return name


def test_a_refused_token_is_renewed_once_and_used(
    pool: PoolOfTest, upstream: ScriptedUpstream, issuer: Issuer, sign_in: str
) -> None:
    upstream.script(REFUSED, {"play": "text", "text": "Welcome back."})

    response = pool.post(PATHS["chat"], CHAT, pool.key())

    assert text_of("chat", response.json()) == "Welcome back."
    first, second = upstream.log()
    assert first.headers["authorization"] != second.headers["authorization"]
    assert issuer.sign_in_state(sign_in)["exchanges"] == 1
    assert set(pool.states().values()) == {"active"}
    (row,) = pool.wait_for_rows(1)
    assert (row["status"], len(row["attempts"])) == (200, 2)
    assert pool.in_flight() == 0


def test_a_new_token_that_is_refused_too_needs_a_person(
    pool: PoolOfTest, upstream: ScriptedUpstream, issuer: Issuer, sign_in: str
) -> None:
    upstream.script(REFUSED)

    response = pool.post(PATHS["chat"], CHAT, pool.key())

    assert response.status_code == 502
    assert len(upstream.log()) == 2
    assert issuer.sign_in_state(sign_in)["exchanges"] == 1
    assert set(pool.states().values()) == {"credential_dead"}


def test_an_account_without_a_sign_in_is_not_tried_twice(
    pool: PoolOfTest, upstream: ScriptedUpstream
) -> None:
    pool.account("a", upstream.root_url() + "/backend-api", kind="chatgpt", chatgpt_account_id="u")
    upstream.script(REFUSED)

    assert pool.post(PATHS["chat"], CHAT, pool.key()).status_code == 502

    assert len(upstream.log()) == 1
    assert pool.states() == {"a": "credential_dead"}

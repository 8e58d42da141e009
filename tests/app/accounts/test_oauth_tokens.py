"""The tokens of a sign-in: their claims, as stored and as Codex's file."""

from __future__ import annotations

import orjson
import pytest

from app.accounts.oauth_tokens import (
    AUTH_CLAIM,
    Tokens,
    tokens_from,
    tokens_from_auth_json,
    tokens_from_response,
)
from app.errors import InvalidRequest, UpstreamProtocolError
from tests.support.sign_in_tokens import issued_token

AUTH = {"chatgpt_account_id": "acc-1", "chatgpt_plan_type": "pro"}


ACCESS = issued_token(exp=2_000_000_000, **{AUTH_CLAIM: AUTH})
IDENTITY = issued_token(email="ann@example.com", **{AUTH_CLAIM: AUTH})
RESPONSE = {"access_token": ACCESS, "refresh_token": "r1", "id_token": IDENTITY}
FORMER = Tokens("a0", "r0", IDENTITY, 1, 1, "acc-0", "plus", "ann@example.com")


class TestResponse:
    def test_claims_are_read(self):
        assert tokens_from_response(RESPONSE, now=1000.5) == Tokens(
            ACCESS, "r1", IDENTITY, 2_000_000_000, 1000, "acc-1", "pro", "ann@example.com"
        )

    def test_a_lifetime_stands_in_for_a_claim(self):
        response = {**RESPONSE, "access_token": "opaque", "expires_in": 3600}

        assert tokens_from_response(response, now=1000).expires_at == 4600

    def test_an_unreported_expiry_is_unknown(self):
        assert tokens_from_response({**RESPONSE, "access_token": "opaque"}, now=1000).expires_at == 0

    def test_what_is_left_out_stays(self):
        """RFC 6749, section 6: a server may answer without a new refresh token."""
        found = tokens_from_response({"access_token": ACCESS}, 1000, FORMER)

        assert (found.refresh_token, found.id_token) == ("r0", IDENTITY)

    def test_the_account_stays_whose_it_was(self):
        assert tokens_from_response(RESPONSE, 1000, FORMER).account_id == "acc-0"

    @pytest.mark.parametrize(
        "response",
        [
            {},
            {"access_token": ACCESS},
            {**RESPONSE, "access_token": None},
            {**RESPONSE, "access_token": "two\nlines"},
            {**RESPONSE, "access_token": "x" * 80_000},
            {**RESPONSE, "refresh_token": 7},
        ],
    )
    def test_a_response_without_tokens_is_invalid(self, response):
        with pytest.raises(UpstreamProtocolError):
            tokens_from_response(response, now=1000)

    @pytest.mark.parametrize("auth", [None, "x", {"chatgpt_account_id": 7}])
    def test_odd_claims_are_ignored(self, auth):
        odd = issued_token(exp="soon", **{AUTH_CLAIM: auth})

        found = tokens_from_response({"access_token": odd, "refresh_token": "r", "id_token": odd}, now=1000)

        assert (found.account_id, found.plan, found.expires_at) == ("", "", 0)

    @pytest.mark.parametrize(
        "opaque",
        [
            "a.b",
            "a.b.c.d",
            "a.!!!!.c",
            "a.Zm9v.c",  # no JSON
            "a.WzFd.c",  # a list
            "a.eyJleHAiOjF9é.c",
            "a." + "W" * 40_000 + ".c",
            "..",
        ],
    )
    def test_a_token_without_readable_claims(self, opaque):
        """It is as good a credential as one with claims."""
        found = tokens_from_response({**RESPONSE, "access_token": ACCESS, "id_token": opaque}, now=1000)

        assert (found.id_token, found.email, found.account_id) == (opaque, "", "acc-1")


class TestForms:
    def test_stored_and_back(self):
        tokens = tokens_from_response(RESPONSE, now=1000)

        assert tokens_from(tokens.dumps()) == tokens

    def test_as_a_file_and_back(self):
        tokens = tokens_from_response(RESPONSE, now=1000)

        assert tokens_from_auth_json(tokens.auth_json()) == tokens

    def test_the_file_is_codexs(self):
        assert orjson.loads(tokens_from_response(RESPONSE, now=1000).auth_json()) == {
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": None,
            "tokens": {
                "id_token": IDENTITY,
                "access_token": ACCESS,
                "refresh_token": "r1",
                "account_id": "acc-1",
            },
            "last_refresh": "1970-01-01T00:16:40Z",
        }

    def test_an_account_id_in_the_file_counts_before_claims(self):
        file = {
            "tokens": {**RESPONSE, "account_id": "acc-9"},
            "last_refresh": "2026-01-02T03:04:05.123456789Z",
        }

        found = tokens_from_auth_json(orjson.dumps(file))

        assert (found.account_id, found.refreshed_at) == ("acc-9", 1767323045)

    @pytest.mark.parametrize(
        "file",
        [
            b"not json",
            b"[]",
            b'{"OPENAI_API_KEY": "sk-secret", "tokens": null}',
            b'{"tokens": {"access_token": "secret"}}',
            b'{"tokens": {"access_token": "sec\\nret", "refresh_token": "secret"}}',
        ],
    )
    def test_a_file_without_a_sign_in(self, file):
        """The error message does not quote the content."""
        with pytest.raises(InvalidRequest) as refused:
            tokens_from_auth_json(file)

        assert "secret" not in str(refused.value)

    def test_are_not_shown(self):
        assert "r1" not in repr(tokens_from_response({**RESPONSE, "access_token": "opaque"}, now=1000))

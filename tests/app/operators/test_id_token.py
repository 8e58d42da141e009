"""Claims of ID tokens; what issuers may send wrong is also tested by whole sign-ins."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from joserfc.errors import JoseError
from joserfc.jwt import Token

from app.operators.id_token import LEEWAY_SECONDS, ExpectedClaims, checked_claims

NOW = 1_800_000_000
EXPECTED = ExpectedClaims("https://id.test", "poolgate", "n-1")
CLAIMS = {
    "iss": "https://id.test",
    "aud": "poolgate",
    "sub": "person-1",
    "exp": NOW + 300,
    "iat": NOW,
    "nonce": "n-1",
}


def check(algorithm: str = "RS256", access_token: object = "token", **changed: Any) -> dict[str, Any]:
    return checked_claims(Token({"alg": algorithm}, CLAIMS | changed), EXPECTED, access_token, NOW)


def half_hash(name: str, access_token: str = "token") -> str:
    digest = hashlib.new(name, access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"aud": ["poolgate"]},
        {"aud": ["poolgate", "another"], "azp": "poolgate"},
        {"azp": "poolgate"},
        {"azp": None, "at_hash": None, "nbf": None},
        {"exp": NOW - LEEWAY_SECONDS + 1},
        {"iat": NOW + LEEWAY_SECONDS},
        {"at_hash": half_hash("sha256")},
    ],
)
def test_what_is_accepted(changed):
    assert check(**changed)["sub"] == "person-1"


@pytest.mark.parametrize(
    "changed",
    [
        *({name: None} for name in CLAIMS),
        {"iss": "https://id.test/"},
        {"aud": "Poolgate"},
        {"aud": []},
        {"aud": ["poolgate", "another"]},
        {"aud": ["poolgate", "another"], "azp": "another"},
        {"azp": "another"},
        {"nonce": ""},
        {"nonce": "n-2"},
        {"exp": NOW - LEEWAY_SECONDS},
        {"exp": float("nan")},
        {"exp": True},
        {"iat": NOW + LEEWAY_SECONDS + 1},
        {"nbf": NOW + LEEWAY_SECONDS + 1},
        {"sub": 7},
        {"at_hash": half_hash("sha256", "another")},
        {"at_hash": half_hash("sha512")},
        {"at_hash": 7},
        {"at_hash": ""},
        {"at_hash": "\u00e9"},
    ],
)
def test_what_is_refused(changed):
    with pytest.raises(JoseError):
        check(**changed)


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [("RS256", "sha256"), ("PS384", "sha384"), ("ES512", "sha512"), ("EdDSA", "sha512")],
)
def test_the_hash_of_the_access_token_follows_the_signature(algorithm, name):
    check(algorithm, at_hash=half_hash(name))

    with pytest.raises(JoseError):
        check(algorithm, at_hash=half_hash(name, "another"))


def test_a_hash_without_an_access_token_is_not_compared():
    check(access_token=None, at_hash="of nothing")

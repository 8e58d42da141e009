"""
Verify the claims of an ID token, whose signature was verified before.

Source: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass

from joserfc.errors import InvalidClaimError
from joserfc.jwt import Claims, JWTClaimsRegistry, Token

LEEWAY_SECONDS = 60  # difference between the clock of the issuer and ours


@dataclass(frozen=True, slots=True)
class ExpectedClaims:
    issuer: str
    client_id: str
    nonce: str


def checked_claims(token: Token, expected: ExpectedClaims, access_token: object, now: float) -> Claims:
    """Return the claims of *token* that are not null. Raises JoseError, ValueError or TypeError."""
    claims = {name: value for name, value in token.claims.items() if value is not None}
    is_alone = claims.get("aud") in (expected.client_id, [expected.client_id])
    registry = JWTClaimsRegistry(
        int(now),
        LEEWAY_SECONDS,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        azp={"essential": not is_alone, "value": expected.client_id},
        nonce={"essential": True, "value": expected.nonce},
        sub={"essential": True, "allow_blank": True},  # the caller reports which subjects are valid
        exp={"essential": True},
        iat={"essential": True},
    )
    registry.validate(claims)
    if "at_hash" in claims and isinstance(access_token, str):
        _check_half_hash(str(claims["at_hash"]), access_token, str(token.header["alg"]))
    return claims


def _check_half_hash(at_hash: str, access_token: str, algorithm: str) -> None:
    """
    Raise InvalidClaimError unless *at_hash* is the first half of the hash of *access_token*, in base64url.

    The hash is that of the signature's *algorithm*; EdDSA uses SHA-512.
    """
    name = "sha512" if algorithm == "EdDSA" else f"sha{algorithm[2:]}"
    digest = hashlib.new(name, access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not secrets.compare_digest(half, at_hash.encode()):
        raise InvalidClaimError("at_hash")

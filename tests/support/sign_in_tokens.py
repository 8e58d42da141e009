"""Tokens as the sign-in service of an upstream issues them, signed with a key that clients do not have."""

from __future__ import annotations

from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey

KEY = OctKey.import_key("a signature that is not checked, but of a decent length")


def issued_token(**claims: Any) -> str:
    return jwt.encode({"alg": "HS256"}, claims, KEY)

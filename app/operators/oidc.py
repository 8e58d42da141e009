"""
Sign people in with an OpenID Connect issuer: authorization code with PKCE, state and nonce.

Sources: https://openid.net/specs/openid-connect-core-1_0.html, https://www.rfc-editor.org/rfc/rfc7636,
https://www.rfc-editor.org/rfc/rfc9207 (the issuer in the response)
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from app.config import Settings
from app.errors import SignInRefused, UpstreamProtocolError, UpstreamRejected
from app.operators.external_users import ExternalUser, PendingSignIn
from app.stores.records.operators import Identity, SignInMethod
from app.upstream.oidc import OidcHttp

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
METADATA_SECONDS = 3600.0  # how long the issuer's addresses and keys are used
LEEWAY_SECONDS = 60  # between its clock and ours
MAX_SUBJECT_CHARS, MAX_KEYS, MAX_GROUPS = 255, 100, 2000
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
UNUSABLE = "The response of the sign-in service could not be accepted"


@dataclass(frozen=True, slots=True)
class _Metadata:
    fields: Mapping[str, Any]
    keys: KeySet
    until: float


class OidcClient:
    """One issuer. Calls raise UpstreamError when it fails, SignInRefused when its response is not valid."""

    def __init__(self, settings: Settings, http: OidcHttp, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._issuer = settings.oidc_issuer
        self._http = http
        self._clock = clock
        self._metadata: _Metadata | None = None

    def begin(self, redirect_uri: str) -> tuple[str, PendingSignIn]:
        """Return the page of the issuer, and what `finish` needs."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        pending = PendingSignIn(state, nonce, verifier, redirect_uri)
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": redirect_uri,
            "scope": self._settings.oidc_scopes,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": create_s256_code_challenge(pending.verifier),
            "code_challenge_method": "S256",
        }
        page = self._current().fields["authorization_endpoint"]
        return f"{page}{'&' if urlsplit(page).query else '?'}{urlencode(query)}", pending

    def finish(self, pending: PendingSignIn, response: Mapping[str, str]) -> ExternalUser:
        """Return the person whom the issuer verified, from the query of its *response*."""
        if not secrets.compare_digest(response.get("state", "").encode(), pending.state.encode()):
            raise SignInRefused("This sign-in was begun in another browser, or too long ago: begin again")
        if response.get("iss", self._issuer).rstrip("/") != self._issuer:
            raise SignInRefused(f"{UNUSABLE}: it is from another issuer")
        if not response.get("code"):
            raise SignInRefused("The sign-in service did not sign you in: begin again")
        tokens = self._exchange(pending, response["code"])
        claims = self._verified(tokens, pending.nonce)
        return self._user(claims, self._userinfo(tokens, claims))

    def _exchange(self, pending: PendingSignIn, code: str) -> dict[str, Any]:
        client, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret
        fields = self._current().fields
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": pending.redirect_uri,
            "client_id": client,
            "code_verifier": pending.verifier,
        }
        accepted = fields.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        basic = (client, secret) if secret and "client_secret_basic" in accepted else None
        if secret and basic is None:
            form["client_secret"] = secret
        try:
            return self._http.post(fields["token_endpoint"], form, basic)
        except UpstreamRejected as error:
            if error.upstream_status in (400, 401):
                raise SignInRefused(
                    "The sign-in service did not accept the code: it was used before or is too old, or the"
                    " client id, secret or redirect URL of the settings is wrong"
                ) from None
            raise

    def _verified(self, tokens: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """Return the claims of the ID token, all of which were checked."""
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise SignInRefused(f"{UNUSABLE}: it has no ID token; the scopes have to include openid")
        try:
            decoded = self._decode(id_token)
            options: Any = {
                "iss": {"essential": True, "value": self._issued_by()},
                "aud": {"essential": True, "value": self._settings.oidc_client_id},
            }
            params = {
                "nonce": nonce,
                "client_id": self._settings.oidc_client_id,
                "access_token": tokens.get("access_token"),
            }
            claims = CodeIDToken(decoded.claims, decoded.header, options, params)
            claims.validate(int(self._clock()), LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:  # of foreign data
            raise SignInRefused(f"{UNUSABLE}: {_reason(error)}") from None
        return dict(claims)

    def _decode(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, self._current().keys, algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # the issuer may have new keys
            self._metadata = None
            return jwt.decode(id_token, self._current().keys, algorithms=ALGORITHMS)

    def _userinfo(self, tokens: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
        """Return the claims that the ID token lacks: some issuers send groups and addresses only there."""
        address, token = self._current().fields.get("userinfo_endpoint"), tokens.get("access_token")
        is_complete = "email" in claims and self._settings.oidc_groups_claim in claims
        if is_complete or not isinstance(address, str) or not isinstance(token, str):
            return {}
        found = self._http.get(self._checked_address(address), token)
        if found.get("sub") != claims["sub"]:
            raise SignInRefused(f"{UNUSABLE}: its claims are about another person")
        return found

    def _user(self, verified: Mapping[str, Any], userinfo: Mapping[str, Any]) -> ExternalUser:
        """Return the person of the *verified* claims of the ID token, and of those of *userinfo* it lacks."""
        claims = {**userinfo, **verified}
        subject, email = claims["sub"], claims.get("email")
        if not _is_subject(subject):
            raise SignInRefused(f"{UNUSABLE}: its subject is not valid")
        # of one source: an address of the token is not verified by what the other has about its own
        source = verified if "email" in verified else userinfo
        is_verified = isinstance(email, str) and source.get("email_verified") in (True, "true")
        groups = claims.get(self._settings.oidc_groups_claim)
        names = (claims.get("preferred_username"), email, subject)
        return ExternalUser(
            identity=Identity(SignInMethod.OIDC, self._issuer, subject),
            name=next(name for name in names if isinstance(name, str) and name),
            email=str(email) if is_verified else "",
            groups=_groups(groups),
        )

    def _issued_by(self) -> str:
        issuer: str = self._current().fields["issuer"]
        return issuer

    def _current(self) -> _Metadata:
        """Return the issuer's addresses and keys, which are read again after `METADATA_SECONDS`."""
        if self._metadata is None or self._metadata.until < self._clock():
            self._metadata = self._discover()
        return self._metadata

    def _discover(self) -> _Metadata:
        fields = self._http.get(f"{self._issuer}/.well-known/openid-configuration")
        if str(fields.get("issuer", "")).rstrip("/") != self._issuer:
            raise UpstreamProtocolError("The sign-in service names another issuer than the settings do")
        for name in ENDPOINTS:
            self._checked_address(fields.get(name))
        found = self._http.get(fields["jwks_uri"])
        return _Metadata(fields, _key_set(found), self._clock() + METADATA_SECONDS)

    def _checked_address(self, address: Any) -> str:
        """Return *address* if tokens may be sent there: by https, as long as the issuer has it."""
        scheme = urlsplit(address).scheme if isinstance(address, str) else ""
        if not scheme or scheme not in ("https", urlsplit(self._issuer).scheme):
            raise UpstreamProtocolError("The sign-in service has an address without https")
        return str(address)


def _key_set(found: Mapping[str, Any]) -> KeySet:
    """Return the public keys for signatures; those of unknown kinds are left out."""
    listed = found.get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise UpstreamProtocolError("The sign-in service's keys have an unexpected form")
    usable = [key for key in listed if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP")]
    try:
        return KeySet.import_key_set({"keys": [key for key in usable if key.get("use", "sig") == "sig"]})
    except (JoseError, ValueError, TypeError, KeyError):
        raise UpstreamProtocolError("The sign-in service's keys have an unexpected form") from None


def _is_subject(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT_CHARS and value.isprintable()


def _groups(value: Any) -> frozenset[str]:
    """Return group names from a list, or from one text."""
    names = value if isinstance(value, list) else [value]
    return frozenset(name for name in names[:MAX_GROUPS] if isinstance(name, str))


def _reason(error: Exception) -> str:
    """Return what is wrong, without anything of the token."""
    word = getattr(error, "error", "") or "invalid_token"
    claim = getattr(error, "claim", None)
    return f"{word.replace('_', ' ')}{f' ({claim})' if isinstance(claim, str) else ''}"

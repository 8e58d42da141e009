"""
Sign people in with an OpenID Connect issuer: authorization code with PKCE, state and nonce.

Sources: https://openid.net/specs/openid-connect-core-1_0.html, https://www.rfc-editor.org/rfc/rfc7636,
https://www.rfc-editor.org/rfc/rfc9207 (the issuer in the response)
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from app.config import SignInSettings
from app.errors import SignInRefused, UpstreamRejected
from app.operators.external_users import ExternalUser, PendingSignIn
from app.operators.oidc_issuer import OidcIssuer
from app.stores.records.operators import Identity, SignInMethod
from app.upstream.oidc import OidcHttp

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
LEEWAY_SECONDS = 60  # difference between the clock of the issuer and ours
MAX_SUBJECT_CHARS, MAX_GROUPS = 255, 2000
UNUSABLE = "The response of the sign-in service could not be accepted"


class OidcClient:
    """One issuer. Calls raise UpstreamError if it fails, SignInRefused if its response is not valid."""

    def __init__(
        self, settings: SignInSettings, http: OidcHttp, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._issuer = OidcIssuer(settings.oidc_issuer, http)
        self._http = http
        self._clock = clock

    def begin(self, redirect_uri: str) -> tuple[str, PendingSignIn]:
        """Return the address of the issuer's sign-in page, and the state that `finish` needs."""
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
        page = self._issuer.current().fields["authorization_endpoint"]
        return f"{page}{'&' if urlsplit(page).query else '?'}{urlencode(query)}", pending

    def finish(self, pending: PendingSignIn, response: Mapping[str, str]) -> ExternalUser:
        """Return the person whom the issuer verified; *response* is the query of its redirect."""
        if not secrets.compare_digest(response.get("state", "").encode(), pending.state.encode()):
            raise SignInRefused("This sign-in was begun in another browser, or too long ago: begin again")
        if response.get("iss", self._issuer.url).rstrip("/") != self._issuer.url:
            raise SignInRefused(f"{UNUSABLE}: it is from another issuer")
        if not response.get("code"):
            raise SignInRefused("The sign-in service did not sign you in: begin again")
        tokens = self._exchange(pending, response["code"])
        claims = self._verified(tokens, pending.nonce)
        return self._user(claims, self._userinfo(tokens, claims))

    def _exchange(self, pending: PendingSignIn, code: str) -> dict[str, Any]:
        client, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret
        fields = self._issuer.current().fields
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
        """Return the claims of the ID token after all checks."""
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
        metadata = self._issuer.current()
        try:
            return jwt.decode(id_token, metadata.keys, algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # the issuer may have rotated its keys
            return jwt.decode(id_token, self._issuer.newer(metadata).keys, algorithms=ALGORITHMS)

    def _userinfo(self, tokens: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
        """Return claims from the userinfo endpoint: some issuers send groups and addresses only there."""
        address, token = self._issuer.current().fields.get("userinfo_endpoint"), tokens.get("access_token")
        is_complete = "email" in claims and self._settings.oidc_groups_claim in claims
        if is_complete or not isinstance(address, str) or not isinstance(token, str):
            return {}
        found = self._http.get(self._issuer.checked_address(address), token)
        if found.get("sub") != claims["sub"]:
            raise SignInRefused(f"{UNUSABLE}: its claims are about another person")
        return found

    def _user(self, verified: Mapping[str, Any], userinfo: Mapping[str, Any]) -> ExternalUser:
        """Return the person in the *verified* claims of the ID token, completed by those of *userinfo*."""
        claims = {**userinfo, **verified}
        subject, email = claims["sub"], claims.get("email")
        if not _is_subject(subject):
            raise SignInRefused(f"{UNUSABLE}: its subject is not valid")
        # address and verification from one source: one source cannot verify the address of the other
        source = verified if "email" in verified else userinfo
        is_verified = isinstance(email, str) and source.get("email_verified") in (True, "true")
        groups = claims.get(self._settings.oidc_groups_claim)
        names = (claims.get("preferred_username"), email, subject)
        return ExternalUser(
            identity=Identity(SignInMethod.OIDC, self._issuer.url, subject),
            name=next(name for name in names if isinstance(name, str) and name),
            email=str(email) if is_verified else "",
            groups=_groups(groups),
        )

    def _issued_by(self) -> str:
        issuer: str = self._issuer.current().fields["issuer"]
        return issuer


def _is_subject(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT_CHARS and value.isprintable()


def _groups(value: Any) -> frozenset[str]:
    """Return the names of groups, given as a list or as one text."""
    names = value if isinstance(value, list) else [value]
    return frozenset(name for name in names[:MAX_GROUPS] if isinstance(name, str))


def _reason(error: Exception) -> str:
    """Return the reason, without any part of the token."""
    word = getattr(error, "error", "") or "invalid_token"
    claim = getattr(error, "claim", None)
    return f"{word.replace('_', ' ')}{f' ({claim})' if isinstance(claim, str) else ''}"

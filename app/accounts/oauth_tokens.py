"""
The tokens of one ChatGPT sign-in: their claims, and their two stored forms.

The store has them as one sealed JSON, Codex as `auth.json`. Claims are read without verifying signatures: the
tokens came from their issuer over TLS, and claims determine only when to renew them and which account id to
send.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from app.errors import InvalidRequest, UpstreamProtocolError
from schemas import bounds

AUTH_CLAIM = "https://api.openai.com/auth"
PROFILE_CLAIM = "https://api.openai.com/profile"


class SignInIdentity(NamedTuple):
    """The plan and the e-mail address of a sign-in, '' where its tokens do not name them."""

    plan: str
    email: str


NO_IDENTITY = SignInIdentity("", "")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a signed-in account, and facts from their claims. Stored only sealed."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)  # valid for one exchange
    id_token: str = field(repr=False)
    expires_at: int  # when the access token expires, Unix seconds; 0: unknown
    refreshed_at: int  # Unix seconds
    account_id: str
    plan: str = ""
    email: str = ""

    @property
    def identity(self) -> SignInIdentity:
        return SignInIdentity(self.plan, self.email)

    def dumps(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    def auth_json(self) -> bytes:
        """Return the contents of Codex's auth.json."""
        refreshed = datetime.fromtimestamp(self.refreshed_at, UTC).isoformat().replace("+00:00", "Z")
        names = ("id_token", "access_token", "refresh_token", "account_id")
        tokens = {name: getattr(self, name) for name in names}
        file = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": refreshed}
        return orjson.dumps(file, option=orjson.OPT_INDENT_2)


def tokens_from(text: str) -> Tokens:
    """Return the tokens that `Tokens.dumps` wrote."""
    return Tokens(**orjson.loads(text))


def tokens_from_response(response: Mapping[str, Any], now: float, former: Tokens | None = None) -> Tokens:
    """
    Return the tokens in a token endpoint's *response*; fields that it omits are those of *former*.

    Raises UpstreamProtocolError when there is no usable access token or no refresh token.
    Source: https://www.rfc-editor.org/rfc/rfc6749#section-5.1
    """
    access_token = _text(response, "access_token")
    refresh_token = _text(response, "refresh_token") or (former.refresh_token if former else "")
    if not _fits_header(access_token) or not refresh_token:
        raise UpstreamProtocolError("The sign-in service answered without the requested tokens")
    id_token = _text(response, "id_token") or (former.id_token if former else "")
    lifetime = bounds.lifetime_seconds(response.get("expires_in"))
    return _described(
        access_token,
        refresh_token,
        id_token,
        expires_at=0 if lifetime is None else int(now + lifetime),
        refreshed_at=int(now),
        account_id=former.account_id if former else "",  # a renewal cannot change the account
    )


def tokens_from_auth_json(data: bytes) -> Tokens:
    """Return the tokens in Codex's *auth.json*. Raises InvalidRequest, which does not quote the file."""
    try:
        file = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise InvalidRequest("That is not JSON, so not Codex's auth.json") from None
    held = file.get("tokens") if isinstance(file, dict) else None
    if not isinstance(held, dict):
        raise InvalidRequest("There is no ChatGPT sign-in in it; account add openai takes an API key")
    return tokens_from_fields(held, file.get("last_refresh"))


def tokens_from_fields(held: Mapping[str, Any], refreshed: object) -> Tokens:
    """
    Return the tokens in *held*, by their names in Codex's auth.json; *refreshed* is a date, if known.

    Raises InvalidRequest, which does not quote them.
    """
    access_token, refresh_token = _text(held, "access_token"), _text(held, "refresh_token")
    if not _fits_header(access_token) or not refresh_token:
        raise InvalidRequest(
            "It lacks an access token or a refresh token; account add chatgpt takes an access token alone"
        )
    return _described(
        access_token,
        refresh_token,
        _text(held, "id_token"),
        expires_at=0,
        refreshed_at=_moment(refreshed),
        account_id=_text(held, "account_id"),
    )


def _described(
    access_token: str,
    refresh_token: str,
    id_token: str,
    *,
    expires_at: int,
    refreshed_at: int,
    account_id: str,
) -> Tokens:
    access, identity = _claims(access_token), _claims(id_token)
    about = {**_auth(access), **_auth(identity)}
    return Tokens(
        access_token,
        refresh_token,
        id_token,
        expires_at=int(bounds.moment(access.get("exp")) or expires_at),
        refreshed_at=refreshed_at,
        account_id=account_id or _text(about, "chatgpt_account_id")[: bounds.MAX_TEXT_CHARS],
        plan=_text(about, "chatgpt_plan_type")[: bounds.MAX_TEXT_CHARS],
        email=(_text(identity, "email") or _profile_email(identity) or _profile_email(access))[
            : bounds.MAX_TEXT_CHARS
        ],
    )


def _claims(token: str) -> dict[str, Any]:
    """
    Return the claims of *token*, {} for an opaque token, which is just as valid.

    Source: https://www.rfc-editor.org/rfc/rfc7515#section-3.1
    """
    try:
        _, payload, _ = token.split(".")
        padded = payload + "=" * (-len(payload) % 4)
        claims = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _auth(claims: Mapping[str, Any]) -> dict[str, Any]:
    auth = claims.get(AUTH_CLAIM)
    return auth if isinstance(auth, dict) else {}


def _profile_email(claims: Mapping[str, Any]) -> str:
    profile = claims.get(PROFILE_CLAIM)
    return _text(profile, "email") if isinstance(profile, dict) else ""


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _fits_header(token: str) -> bool:
    is_short = 0 < len(token) <= bounds.MAX_CREDENTIAL_CHARS
    return is_short and token.isascii() and token.isprintable() and " " not in token


def _moment(text: object) -> int:
    try:
        at = datetime.fromisoformat(text).timestamp() if isinstance(text, str) else 0
        return int(bounds.moment(at) or 0)
    except (ValueError, OverflowError):
        return 0

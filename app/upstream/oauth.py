"""
Send requests to the sign-in service of ChatGPT accounts: the only OAuth requests of the gateway.

Sources: https://www.rfc-editor.org/rfc/rfc6749 (tokens), https://www.rfc-editor.org/rfc/rfc7636
(PKCE); the device endpoints, the client id and the extra parameters are those of the open source
Codex CLI, https://github.com/openai/codex.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import gevent
import requests

from app.errors import StreamIdleTimeout, UpstreamProtocolError, UpstreamRedirected, UpstreamRejected
from app.streaming.lenient_json import loads
from app.upstream.bounded_body import RESPONSE_SECONDS, read_bounded
from app.upstream.errors import from_exception
from schemas import bounds

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"  # public: the client id of ChatGPT sign-ins
SCOPE = "openid profile email offline_access"
LATE_SECONDS = 1.0  # later than the limits of connecting and reading, whose errors are more precise
DEVICE_SECONDS = 900.0  # how long a user code is valid
# Between polls; with a longer interval the code would expire unnoticed
INTERVAL_SECONDS, LONGEST_INTERVAL_SECONDS = 5.0, 60.0
MAX_TOKEN_CHARS = 16_384  # longest value in a response: a JWT has two thousand, and headers allow no more
_PENDING = (403, 404)  # statuses of a device poll while the code has not been entered
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}")


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """The code that a user enters on `page`, and the interval of polls."""

    id: str
    user_code: str
    page: str
    interval_seconds: float


@dataclass(frozen=True, slots=True)
class Grant:
    """A code that can be exchanged for tokens once."""

    code: str
    verifier: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes


def new_verifier() -> str:
    """Return a random PKCE code verifier, which can also serve as a `state`."""
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge. Source: https://www.rfc-editor.org/rfc/rfc7636#section-4.2"""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class OAuth:
    """
    Every call raises UpstreamRejected for what the service refused, with its code;
    UpstreamUnreachable or StreamIdleTimeout when there was no response; UpstreamProtocolError when
    the response is invalid. No error contains anything that was sent or received, except the code.
    """

    def __init__(
        self, issuer: str, *, connect_timeout_seconds: float, originator: str, user_agent: str
    ) -> None:
        self._issuer = issuer
        self._timeout = (connect_timeout_seconds, RESPONSE_SECONDS)
        self._originator = originator
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}

    def authorize_url(self, redirect_uri: str, verifier: str, state: str) -> str:
        """Return the page on which a person signs in; it leads to *redirect_uri* with a code."""
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            "state": state,
            "id_token_add_organizations": "true",
            "codex_cli_simplified_flow": "true",
            "originator": self._originator,
        }
        return f"{self._issuer}/oauth/authorize?{urlencode(query)}"

    def exchange(self, grant: Grant) -> dict[str, Any]:
        """Return the tokens for *grant*."""
        form = {
            "grant_type": "authorization_code",
            "client_id": CLIENT_ID,
            "code": grant.code,
            "redirect_uri": grant.redirect_uri,
            "code_verifier": grant.verifier,
        }
        return self._object(self._post("/oauth/token", data=form))

    def refresh(self, refresh_token: str, reason: str) -> dict[str, Any]:
        """Return new tokens for *refresh_token*, which must not be sent a second time."""
        body = {
            "client_id": CLIENT_ID,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "refresh_reason": reason,
        }
        return self._object(self._post("/oauth/token", json=body))

    def start_device(self) -> DeviceCode:
        payload = self._object(self._post("/api/accounts/deviceauth/usercode", json={"client_id": CLIENT_ID}))
        return DeviceCode(
            id=_text(payload, "device_auth_id"),
            user_code=_text(payload, "user_code"),
            page=f"{self._issuer}/codex/device",
            interval_seconds=_interval(payload.get("interval")),
        )

    def poll_device(self, device: DeviceCode) -> Grant | None:
        """Return the grant once a person has entered the code, None until then."""
        body = {"device_auth_id": device.id, "user_code": device.user_code}
        response = self._post("/api/accounts/deviceauth/token", json=body)
        if response.status in _PENDING:
            return None
        payload = self._object(response)
        redirect_uri = f"{self._issuer}/deviceauth/callback"
        return Grant(_text(payload, "authorization_code"), _text(payload, "code_verifier"), redirect_uri)

    def _post(self, path: str, **body: Any) -> _Response:
        # requests limits the wait for each piece of a head or body, not that for the complete response.
        too_late = StreamIdleTimeout("The sign-in service did not answer in time")
        deadline = gevent.Timeout(sum(self._timeout) + LATE_SECONDS, too_late)
        try:
            with (
                deadline,
                requests.post(
                    self._issuer + path,
                    headers=self._headers,
                    timeout=self._timeout,
                    allow_redirects=False,  # never sent to another host
                    stream=True,
                    **body,
                ) as response,
            ):
                return _Response(response.status_code, read_bounded(response))
        except requests.RequestException as error:
            raise from_exception(error) from None  # its text may contain the address with its query

    def _object(self, response: _Response) -> dict[str, Any]:
        try:
            payload = loads(response.body)
        except ValueError:
            payload = None
        if response.status >= 400:
            raise _refusal(response.status, payload)
        if response.status >= 300:
            raise UpstreamRedirected(response.status)
        if response.status != 200 or not isinstance(payload, dict):
            raise UpstreamProtocolError("The sign-in service's response has an unexpected form")
        return payload


def _refusal(status: int, payload: Any) -> UpstreamRejected:
    code = _code(payload) or f"status_{status}"
    return UpstreamRejected(
        f"The sign-in service refused: {code}",
        status=status,
        type="server_error" if status >= 500 else "authentication_error",
        code=code,
        upstream_status=status,
    )


def _code(payload: Any) -> str | None:
    """Return the word for a refusal, from `{"error": word}` or `{"error": {"code": word}}`."""
    error = payload.get("error") if isinstance(payload, dict) else None
    words = (error.get("code"), error.get("type")) if isinstance(error, dict) else (error,)
    return next((word for word in words if isinstance(word, str) and _CODE.fullmatch(word)), None)


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN_CHARS:
        raise UpstreamProtocolError(f"The sign-in service's response has no {name}")
    return value


def _interval(value: object) -> float:
    return min(bounds.number(value) or INTERVAL_SECONDS, LONGEST_INTERVAL_SECONDS)

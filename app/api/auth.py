"""Authentication by API key: every blueprint of the gateway calls it before it reads the body."""

from __future__ import annotations

from flask import request

from app.api.context import current_request, request_globals, services
from app.errors import InvalidApiKey
from app.stores.records.api_keys import PREFIX, ApiKey

KEY_HEADERS = ("x-api-key", "x-bf-vk")  # other gateways' names for it


def authenticate() -> None:
    """Put the key of a Bearer token into `g.api_key`. Raises InvalidApiKey."""
    scheme, presented = _authorization()
    if not presented:
        raise InvalidApiKey("No API key was given: send it as 'Authorization: Bearer sk-pg-…'")
    if scheme != "bearer":
        raise InvalidApiKey("The Authorization header must carry the API key as a Bearer token")
    _authenticate(presented)


def authenticate_basic() -> None:
    """
    Put the key of a Basic user name or password into `g.api_key`. Raises InvalidApiKey.

    Source: https://www.rfc-editor.org/rfc/rfc7617
    """
    credentials = request.authorization
    if credentials is None or credentials.type != "basic":
        raise InvalidApiKey("Send the API key by HTTP Basic, as password or as user name")
    halves = (credentials.password or "", credentials.username or "")
    _authenticate(next((half for half in halves if half.startswith(PREFIX)), halves[0]))


def authenticate_any() -> None:
    """Put the key into `g.api_key`, sent as Bearer, as Basic, or in a header of its own."""
    for header in KEY_HEADERS:
        if presented := request.headers.get(header):
            return _authenticate(presented)
    return authenticate_basic() if _authorization()[0] == "basic" else authenticate()


def presented_key() -> str:
    """Return the API key that was sent, in any of these ways and unverified; '' where there is none."""
    for header in KEY_HEADERS:
        if presented := request.headers.get(header):
            return presented.strip()
    scheme, presented = _authorization()
    if scheme != "basic":
        return presented if scheme == "bearer" else ""
    credentials = request.authorization
    halves = (credentials.password or "", credentials.username or "") if credentials is not None else ()
    return next((half for half in halves if half.startswith(PREFIX)), "")


def caller() -> ApiKey:
    """Return the API key of this request."""
    key: ApiKey = request_globals().api_key
    return key


def _authorization() -> tuple[str, str]:
    scheme, _, presented = current_request().headers.get("Authorization", "").strip().partition(" ")
    return scheme.lower(), presented


def _authenticate(presented: str) -> None:
    request_globals().api_key = services().api_keys.authenticate(presented.strip())

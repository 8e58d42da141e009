"""
Authentication by API key: every blueprint of the gateway calls it before it reads the body.

A request may have several keys: in `Authorization`, then in `KEY_HEADERS`. The first that looks like a key of
this gateway is used; if none does, the first one. Requests that this process sends to itself name their key:
see `app.server.internal_requests`.
"""

from __future__ import annotations

from dataclasses import replace

from flask import request

from app.api.context import current_request, request_globals, services
from app.api.headers import IDEMPOTENCY_KEY, variable_of
from app.errors import InvalidApiKey
from app.server import internal_requests
from app.stores.records.api_keys import PREFIX, ApiKey
from app.websocket.response import VARIABLE as SOCKET_RESPONSE

# Bodies up to this size are retained to run a view again; for larger ones reading the key costs little
MAX_RETAINED_BYTES = 256 * 1024
_IDEMPOTENCY_VARIABLE = variable_of(IDEMPOTENCY_KEY)
# Headers of other services that hold a key, in order of precedence
KEY_HEADERS = ("x-api-key", "api-key", "x-bf-vk")


def authenticate(*, is_admitted: bool = False) -> None:
    """
    Put the key of a Bearer token, or of one of `KEY_HEADERS`, into `g.api_key`. Raises InvalidApiKey.

    *is_admitted* is whether the view has effects only after admission, which compares the key's record. Then
    the record may be one that an earlier request read.
    """
    if (own_key := internal_requests.key_of(current_request().environ)) is not None:
        request_globals().api_key = services().api_keys.authorize(*own_key)
        return
    scheme, presented = _authorization()
    if scheme != "bearer" or not presented.startswith(PREFIX):
        if own := _key_of_own_header(_bearer(scheme, presented)):
            presented = own
        elif not presented:
            raise InvalidApiKey("No API key was given: send it as 'Authorization: Bearer sk-pg-…'")
        elif scheme != "bearer":
            raise InvalidApiKey("The Authorization header must carry the API key as a Bearer token")
    _authenticate(presented, is_admitted=is_admitted)


def authenticate_basic(*, is_admitted: bool = False) -> None:
    """
    Put the key of a Basic user name or password, or of one of `KEY_HEADERS`, into `g.api_key`.

    *is_admitted* is as for `authenticate`. Raises InvalidApiKey. Source: https://www.rfc-editor.org/rfc/rfc7617
    """
    given = _basic()
    if not given.startswith(PREFIX):
        given = _key_of_own_header(given) or given
    if not given:
        raise InvalidApiKey("Send the API key by HTTP Basic, as password or as user name")
    _authenticate(given, is_admitted=is_admitted)


def authenticate_any(*, is_admitted: bool = False) -> None:
    """Put the key into `g.api_key`; it may be sent as Bearer, as Basic, or in one of `KEY_HEADERS`."""
    way = authenticate_basic if _authorization()[0] == "basic" else authenticate
    way(is_admitted=is_admitted)


def presented_key() -> str:
    """Return the unverified API key that was sent in any of these ways, '' if there is none."""
    scheme, presented = _authorization()
    if scheme == "basic":
        given = _basic()
        presented = given if given.startswith(PREFIX) else ""
    else:
        presented = _bearer(scheme, presented).strip()
    return presented if presented.startswith(PREFIX) else _key_of_own_header(presented) or presented


def caller() -> ApiKey:
    """Return the API key of this request."""
    key: ApiKey = request_globals().api_key
    return key


def _authorization() -> tuple[str, str]:
    scheme, _, presented = current_request().headers.get("Authorization", "").strip().partition(" ")
    return scheme.lower(), presented


def _bearer(scheme: str, presented: str) -> str:
    return presented if scheme == "bearer" else ""


def _basic() -> str:
    """Return the password or user name that looks like an API key; if neither does, the password."""
    credentials = request.authorization
    if credentials is None or credentials.type != "basic":
        return ""
    halves = (credentials.password or "", credentials.username or "")
    return next((half for half in halves if half.startswith(PREFIX)), halves[0])


def _key_of_own_header(given: str) -> str:
    """
    Return the key in one of `KEY_HEADERS`, '' if none of these is to be used.

    *given* is what `Authorization` has. It comes first, unless it does not look like a key of this gateway
    (SDKs insist on some value there) and one of these headers does.
    """
    headers = current_request().headers
    sent = [value.strip() for header in KEY_HEADERS if (value := headers.get(header))]
    key = next((value for value in sent if value.startswith(PREFIX)), "")
    return key or ("" if given or not sent else sent[0])


def renew_caller() -> bool:
    """
    Read the key of this request again if an earlier request had read it; return whether it has changed.

    Raises InvalidApiKey and TeamDisabled, as authentication does.
    """
    state = request_globals()
    former: ApiKey | None = state.get("api_key")
    if former is None or not former.fingerprint:
        return False
    state.api_key = key = services().api_keys.authenticate(state.presented)
    as_then = replace(key, now=former.now, looked_up_at=former.looked_up_at, fingerprint=former.fingerprint)
    return as_then != former


def _authenticate(presented: str, *, is_admitted: bool) -> None:
    state, api_keys = request_globals(), services().api_keys
    state.presented = presented = presented.strip()
    known = api_keys.known(presented) if is_admitted and _can_run_again() else None
    state.api_key = known or api_keys.authenticate(presented)


def _can_run_again() -> bool:
    """Return whether the view can run again with another record: see `GatewayApplication`."""
    environ, size = current_request().environ, current_request().content_length
    if size is None or size > MAX_RETAINED_BYTES:
        return False
    return _IDEMPOTENCY_VARIABLE not in environ and SOCKET_RESPONSE not in environ

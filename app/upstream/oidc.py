"""
Send the requests of OpenID Connect: discovery, keys, the exchange of a code, and the user's claims.

Source: https://openid.net/specs/openid-connect-discovery-1_0.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gevent
import orjson
import requests

from app.errors import StreamIdleTimeout, UpstreamProtocolError, UpstreamRedirected, UpstreamRejected
from app.upstream import connections
from app.upstream.bounded_body import RESPONSE_SECONDS, read_bounded
from app.upstream.errors import from_exception
from app.upstream.routes import RoutingAdapter

CONNECT_SECONDS = 5.0
LATE_SECONDS = 1.0  # later than the limits of connecting and reading, whose errors are more precise


class OidcHttp:
    """
    Calls raise UpstreamRejected for a refusal, UpstreamError for any other failure.

    No error has an address, a code or a token. Connections to the metadata services of clouds are refused.
    """

    def __init__(self, *, user_agent: str) -> None:
        self._headers = {"User-Agent": user_agent, "Accept": "application/json"}
        self._adapter = RoutingAdapter(connections.ANY_ADDRESS)

    def get(self, url: str, access_token: str = "") -> dict[str, Any]:
        """Return the JSON object at *url*."""
        headers = {"Authorization": f"Bearer {access_token}"} if access_token else {}
        return self._call("GET", url, headers=headers, auth=_unchanged)

    def post(self, url: str, form: Mapping[str, str], basic: tuple[str, str] | None = None) -> dict[str, Any]:
        """Post *form* and return the JSON object of the response; *basic*: (name, password) for Basic."""
        return self._call("POST", url, data=form, auth=basic or _unchanged)

    def _call(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> dict[str, Any]:
        # requests limits the wait for each piece of a head or body, not that for the complete response.
        too_late = StreamIdleTimeout("The sign-in service did not answer in time")
        deadline = gevent.Timeout(CONNECT_SECONDS + RESPONSE_SECONDS + LATE_SECONDS, too_late)
        try:
            with requests.Session() as session, deadline:
                session.mount("https://", self._adapter)
                session.mount("http://", self._adapter)
                response = session.request(
                    method,
                    url,
                    headers={**self._headers, **(headers or {})},
                    timeout=(CONNECT_SECONDS, RESPONSE_SECONDS),
                    allow_redirects=False,  # never sent to another host
                    stream=True,
                    **options,
                )
                with response:
                    return _object(response.status_code, read_bounded(response))
        except (requests.RequestException, ValueError) as error:
            raise from_exception(error) from None  # its text may contain the address


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add no credentials: without an `auth` requests would use those in ~/.netrc."""
    return request


def _object(status: int, body: bytes) -> dict[str, Any]:
    """Return the object in *body*. Raises UpstreamError."""
    if status >= 400:
        raise UpstreamRejected(
            f"The sign-in service refused with status {status}",
            status=502,
            type="server_error",
            code="upstream_error",
            upstream_status=status,
        )
    if status >= 300:
        raise UpstreamRedirected(status)
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise UpstreamProtocolError("The sign-in service's response has an unexpected form")
    return content

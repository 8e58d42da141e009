"""One table from the exceptions of requests and sockets to ours."""

from __future__ import annotations

from collections.abc import Callable

import requests
from urllib3.exceptions import NewConnectionError

from app.errors import StreamIdleTimeout, UpstreamError, UpstreamUnreachable
from app.upstream.addresses import ForbiddenAddress

# First match wins. `sent` tells whether the upstream may have seen the request: if it may,
# sending it again can be billed twice.
_TABLE: tuple[tuple[type[Exception], Callable[[], UpstreamError]], ...] = (
    (
        requests.exceptions.ConnectTimeout,
        lambda: UpstreamUnreachable("The upstream did not accept a connection in time"),
    ),
    (
        requests.exceptions.ReadTimeout,
        lambda: StreamIdleTimeout("The upstream did not begin to answer in time"),
    ),
    (
        requests.exceptions.SSLError,
        lambda: UpstreamUnreachable("The upstream's TLS certificate or handshake failed"),
    ),
    (
        requests.exceptions.ProxyError,
        lambda: UpstreamUnreachable("The proxy on the way to the upstream failed"),
    ),
)


def from_exception(error: Exception) -> UpstreamError:
    """Return what *error*, raised while a request was being sent, means to us."""
    for kind, make in _TABLE:
        if isinstance(error, kind):
            return make()
    if _forbidden(error):
        return UpstreamUnreachable(
            "The upstream's name leads to an address that is not public; only a compatible account's may"
        )
    if _never_connected(error):
        return UpstreamUnreachable("The upstream could not be reached")
    return UpstreamUnreachable("The connection to the upstream broke before it answered", sent=True)


def _forbidden(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, ForbiddenAddress)


def _never_connected(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError) or not isinstance(
        error, (requests.exceptions.ConnectionError, OSError)
    )

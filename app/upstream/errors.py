"""Map exceptions of requests, urllib3 and sockets to the gateway's own, by one table."""

from __future__ import annotations

from collections.abc import Callable

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from app import descriptors
from app.errors import (
    OutOfDescriptors,
    ResponseNotHttp,
    StreamIdleTimeout,
    UpstreamError,
    UpstreamUnreachable,
)
from app.upstream.connections import RequestNotStarted, UnreadableHead
from app.upstream.ssrf_guard import ForbiddenAddress

# First match wins. `sent`: whether the upstream may have begun the request: if it may,
# sending it again can be billed twice. What proves that it has not: app/upstream/connections.py.
_TABLE: tuple[tuple[tuple[type[Exception], ...], Callable[[], UpstreamError]], ...] = (
    (
        (ForbiddenAddress,),
        lambda: UpstreamUnreachable(
            "The upstream's name leads to an address that is not public; only a compatible account's may"
        ),
    ),
    ((NameResolutionError,), lambda: UpstreamUnreachable("The upstream's host name could not be resolved")),
    ((ConnectionRefusedError,), lambda: UpstreamUnreachable("The upstream refused the connection")),
    ((NewConnectionError,), lambda: UpstreamUnreachable("The upstream could not be reached")),
    (
        (ConnectTimeoutError,),
        lambda: UpstreamUnreachable("The upstream did not accept a connection in time"),
    ),
    ((ReadTimeoutError,), lambda: StreamIdleTimeout("The upstream did not begin to answer in time")),
    ((SSLError,), lambda: UpstreamUnreachable("The upstream's TLS certificate or handshake failed")),
    ((ProxyError,), lambda: UpstreamUnreachable("The proxy on the way to the upstream failed")),
    (
        (RequestNotStarted,),
        lambda: UpstreamUnreachable("The upstream closed the connection before it had the request"),
    ),
    (
        (ProtocolError, OSError),
        lambda: UpstreamUnreachable("The connection to the upstream broke before it answered", sent=True),
    ),
)


def from_exception(error: Exception) -> UpstreamError | OutOfDescriptors:
    """Return the gateway's exception for *error*, which was raised while a request was sent."""
    if descriptors.is_exhaustion(error):
        return OutOfDescriptors()
    cause = _cause(error)
    if isinstance(cause, UnreadableHead):
        return ResponseNotHttp(str(cause))
    for kinds, make in _TABLE:
        if isinstance(cause, kinds):
            return make()
    return UpstreamUnreachable("The upstream could not be reached")


def _cause(error: Exception) -> Exception:
    """Return the exception of urllib3 that requests has wrapped in *error*."""
    inner = error.args[0] if isinstance(error, requests.RequestException) and error.args else error
    cause = inner.reason if isinstance(inner, MaxRetryError) else inner
    if isinstance(cause, NewConnectionError) and isinstance(cause.__cause__, ConnectionRefusedError):
        return cause.__cause__
    return cause if isinstance(cause, Exception) else error

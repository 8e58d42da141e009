"""
Connections to upstreams and their pools.

They connect to addresses that `ssrf_guard` allows, and send the head of a request together with its
body, in one packet if both fit.

A POST that an upstream may have started to process is not sent to it twice. What a failure proves:

    nothing was written             not started: the peer had closed an idle connection
    a part was written              not started: a body that is shorter than its Content-Length is an
                                    incomplete message (RFC 9112, section 8), and no complete JSON or form
    all was written; the peer       not started: the peer closed before any byte of the request arrived
    closed and acknowledged none
    all was written, anything else  possibly started, and possibly billed

If the connection was reused and the request was certainly not started, it is sent once more over another
connection. All other failures are reported to the relay, which does not send a request again to an account
that has possibly started it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from http.client import BadStatusLine, HTTPException, LineTooLong, RemoteDisconnected, UnknownProtocol
from typing import Any, NamedTuple, TypeVar

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection
from urllib3.exceptions import ProtocolError, ProxyError
from urllib3.util import SKIP_HEADER

from app.sockets import send_all
from app.upstream.response_head import FinalResponse
from app.upstream.socket_state import TcpState, is_readable, tcp_state
from app.upstream.ssrf_guard import check_peer
from app.yielding import give_way

T = TypeVar("T")

_PLAIN_FIELD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e]*")

JOINED_BYTES = 1024 * 1024  # largest request that is joined: copying more costs more than another system call
MAX_LINE_KIB, MAX_HEADERS = 64, 100  # limits of http.client, by which it reads a head
MAX_REUSED_TRIES = 3  # closed connections that are tried before the upstream counts as unreachable


class RequestNotStarted(ProtocolError):
    """The upstream cannot have started the request, because it received at most a part."""


class UnreadableHead(ProtocolError):
    """The upstream answered, but not in HTTP, or with more headers than are read (see its argument)."""


class StaleConnection(RequestNotStarted):
    """The upstream cannot have started the request, which was sent over a reused connection."""


def on_live_connection(send: Callable[[], T]) -> T:
    """Return the result of *send*, which is called again if its reused connection was already closed."""
    for _ in range(MAX_REUSED_TRIES - 1):
        try:
            return send()
        except StaleConnection:
            continue
    return send()


class _GuardedConnection:
    """Connects to allowed addresses only, and sends a request when it is complete."""

    names_may_be_private = True
    response_class: Any = FinalResponse
    sock: Any
    _buffer: list[bytes]
    _held: list[Any] | None = None
    _is_reused = False  # whether the connection has already served a request
    _written = False  # whether the newest request was written completely
    _before: TcpState | None = None  # of the peer before the newest request, on a reused connection
    _after: TcpState | None = None
    _is_tls = False

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be reused; urllib3 checks it when it takes one from a pool."""
        return self.sock is not None and not is_readable(self.sock)

    def _new_conn(self) -> socket.socket:
        self._is_reused = False
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        return check_peer(self, made, names_may_be_private=self.names_may_be_private)  # type: ignore[arg-type]

    def _tunnel(self) -> None:
        try:
            super()._tunnel()  # type: ignore[misc]
        except TimeoutError:
            raise
        except OSError as error:  # also raised for a status other than 2xx
            raise ProxyError("The proxy refused to connect", error) from error

    def request(self, *args: Any, **options: Any) -> None:
        held: list[Any] = []
        self._held = held
        try:
            super().request(*args, **options)  # type: ignore[misc]
        finally:
            self._held = None
        self._written, self._before, self._after = False, None, None
        if self.sock is None:  # the pool closed it, because its peer had: sending connects again
            self._is_reused = False
        if self._is_reused:
            if is_readable(self.sock):
                raise StaleConnection("The connection was closed before the request was sent")
            self._before = tcp_state(self.sock)
        self._write(held)
        self._written = True

    def putheader(self, header: Any, *values: Any) -> None:
        """Add a field to the head. A field of plain ASCII needs no checks by urllib3 and http.client."""
        value = values[0]
        is_plain = len(values) == 1 and type(header) is type(value) is str and value != SKIP_HEADER
        if is_plain and _PLAIN_FIELD.fullmatch(line := f"{header}: {value}"):
            self._buffer.append(line.encode("ascii"))
        else:
            super().putheader(header, *values)  # type: ignore[misc]

    def _write(self, held: list[Any]) -> None:
        is_joined = sum(map(len, held)) <= JOINED_BYTES
        try:
            for data in (b"".join(held),) if is_joined else held:
                self.send(data)
                give_way(len(data))
        except (BrokenPipeError, ConnectionResetError):
            raise  # urllib3 then reads an early response, such as 413
        except OSError as error:
            raise self._not_begun() from error

    def getresponse(self) -> Any:
        try:
            response = super().getresponse()  # type: ignore[misc]
            self._is_reused = True
            return response
        except TimeoutError:
            if self._written:
                raise
            raise self._not_begun() from None
        except (HTTPException, OSError) as error:
            # Before all of the request is sent, the upstream cannot have begun it, whatever it answers
            if self._written and isinstance(error, HTTPException) and not isinstance(error, OSError):
                raise UnreadableHead(_reason(error)) from error
            if not self._written or self._is_proof(error):
                raise self._not_begun() from error
            raise ProtocolError("The connection broke after the request was sent", error) from error

    def _not_begun(self) -> RequestNotStarted:
        kind = StaleConnection if self._is_reused else RequestNotStarted
        return kind("The connection was closed before all of the request was sent")

    def _is_proof(self, error: Exception) -> bool:
        """
        Return whether *error* shows that the peer closed before anything of the request reached it.

        The last segment of a peer that closes acknowledges all that its system has received; a reset
        need not. The error distinguishes the two only without TLS.
        """
        before, after = self._before, self._after
        if before is None or after is None or after.acknowledged_bytes != before.acknowledged_bytes:
            return False
        by_error = not self._is_tls and isinstance(error, (RemoteDisconnected, BrokenPipeError))
        return after.closed_by_peer or by_error

    def close(self) -> None:
        """Close the connection; http.client does so before it raises what went wrong."""
        if self.sock is not None and self._before is not None:
            self._after = tcp_state(self.sock)
        super().close()  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self._held is not None:
            self._held.append(data)
        elif self.sock is None:
            super().send(data)  # type: ignore[misc]  # connects first
        else:
            send_all(self.sock, data)


def _reason(error: HTTPException) -> str:
    """Return why http.client did not read a head, as a sentence without what was sent."""
    if isinstance(error, BadStatusLine | UnknownProtocol):
        return "The upstream does not speak HTTP: its response does not begin with a status line"
    if isinstance(error, LineTooLong):
        return f"The upstream sent a line of more than {MAX_LINE_KIB} KiB in the head of its response"
    return f"The upstream sent more than {MAX_HEADERS} headers"


class _AnyHttpConnection(_GuardedConnection, HTTPConnection):
    pass


class _AnyHttpsConnection(_GuardedConnection, HTTPSConnection):
    _is_tls = True


class _PublicHttpConnection(_GuardedConnection, HTTPConnection):
    names_may_be_private = False


class _PublicHttpsConnection(_GuardedConnection, HTTPSConnection):
    _is_tls = True
    names_may_be_private = False


class _AnyHttpPool(HTTPConnectionPool):
    ConnectionCls = _AnyHttpConnection


class _AnyHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _AnyHttpsConnection


class _PublicHttpPool(HTTPConnectionPool):
    ConnectionCls = _PublicHttpConnection


class _PublicHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHttpsConnection


class _AnySocksConnection(_GuardedConnection, SOCKSConnection):
    pass


class _AnySocksHttpsConnection(_GuardedConnection, SOCKSHTTPSConnection):
    _is_tls = True


class _PublicSocksConnection(_GuardedConnection, SOCKSConnection):
    names_may_be_private = False


class _PublicSocksHttpsConnection(_GuardedConnection, SOCKSHTTPSConnection):
    _is_tls = True
    names_may_be_private = False


class _AnySocksPool(HTTPConnectionPool):
    ConnectionCls = _AnySocksConnection


class _AnySocksHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _AnySocksHttpsConnection


class _PublicSocksPool(HTTPConnectionPool):
    ConnectionCls = _PublicSocksConnection


class _PublicSocksHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _PublicSocksHttpsConnection


class Pools(NamedTuple):
    """The classes of connection pools by scheme."""

    direct: dict[str, Any]  # also used for HTTP proxies
    socks: dict[str, Any]


ANY_ADDRESS = Pools(
    {"http": _AnyHttpPool, "https": _AnyHttpsPool},
    {"http": _AnySocksPool, "https": _AnySocksHttpsPool},
)
PUBLIC_ADDRESSES = Pools(
    {"http": _PublicHttpPool, "https": _PublicHttpsPool},
    {"http": _PublicSocksPool, "https": _PublicSocksHttpsPool},
)

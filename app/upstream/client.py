"""
Send one request to one account.

The adapter of requests selects the connection pool of each address once, with its proxy and
certificates; every request then uses that pool directly. Without a session, cookie jar, hooks and
look-ups in the environment this takes a third of the time of `session.post`. Requests are sent in a
greenlet of their own, so that the caller can send keep-alives to its client, or leave.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

import gevent
import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Retry, Timeout
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from app.accounts.account import Account
from app.accounts.kinds import kind_of
from app.errors import (
    GatewayError,
    StreamIdleTimeout,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamRedirected,
)
from app.streaming.lenient_json import loads
from app.streaming.upstream_errors import rejection_from_body
from app.upstream import connections
from app.upstream.body import Body
from app.upstream.cancellation import Cancellation
from app.upstream.connections import on_live_connection
from app.upstream.errors import from_exception
from app.upstream.greenlet_pool import GreenletPool, Task

CONNECTION_POOLS = 64  # upstream hosts with open connections
MAX_ROUTES = 1000  # addresses whose pools are remembered; an account has one or two
CONNECTIONS_PER_HOST = 1000  # idle ones; a worker has at most 2,000 streams
RECEIVE_BUFFER_BYTES = 256 * 1024  # an upstream is slowed soon after its client is
SLICE_BYTES = 1024 * 1024  # of a body that are written, and encrypted, before other greenlets run
ONCE = Retry(False, redirect=False)  # errors are raised unchanged: retries are decided by the relay
ERROR_BODY_BYTES = 65536  # of an error response: enough for any envelope
MAX_JSON_BYTES = 4 * 1024 * 1024  # of a list of models or a report of usage; long lists have 1 MiB
ERROR_BODY_SECONDS = 2.0  # for the complete body
LATE_SECONDS = 1.0  # after a time limit of connecting or reading, whose error is more precise than "too late"
NO_CONTENT = (204, 205)  # statuses whose answers have no body

AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # variables with the file of trusted certificates

RequestBody = Sequence[bytes | bytearray]  # pieces


class RequestContent(NamedTuple):
    """
    What a request sends: the pieces of its body, and headers.

    *client_headers* are the client's that may pass to the ChatGPT backend, *trace_headers* those that
    name our span. With *content_type* any answer is accepted, else a stream of events is required.
    """

    body: RequestBody
    client_headers: Mapping[str, str] = MappingProxyType({})
    trace_headers: Mapping[str, str] = MappingProxyType({})
    content_type: str = ""
    accept: str = ""  # in place of a stream of events


class UpstreamResponse:
    """An upstream's 2xx answer: the headers have arrived, the body has not been read."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.body = Body(response)


def content_type_of(answer: UpstreamResponse) -> str:
    """Return the content type of *answer* without parameters. Raises UpstreamProtocolError for no content."""
    if answer.status in NO_CONTENT:
        raise UpstreamProtocolError(
            f"The upstream answered with status {answer.status}, which has no content"
        )
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class PendingResponse:
    """A request that was sent; `wait` returns its answer."""

    def __init__(self, task: Task[UpstreamResponse | GatewayError], cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self._task = task

    def wait(self, seconds: float) -> UpstreamResponse | None:
        """
        Return the answer, or None when there is none after *seconds*.

        Raises UpstreamError, and the cancellation's reason as soon as there is one.
        """
        with self._cancellation.interrupting(self._task.abandon):
            self._task.wait(max(seconds, 0))
        self._cancellation.check()
        result = self._task.result
        if isinstance(result, Exception):
            raise result
        return result

    def abandon(self) -> None:
        """Close the connection, unless `wait` has returned the answer."""
        self._task.abandon()
        if isinstance(self._task.result, UpstreamResponse):
            self._task.result.body.close()


class _Route(NamedTuple):
    """The connection pool and the request target for one URL."""

    pool: HTTPConnectionPool
    target: str  # of the request line: a path, or the full URL if a proxy is used

    def post(self, headers: Mapping[str, str], body: RequestBody, timeout: Timeout) -> BaseHTTPResponse:
        """Send a request and return the head of its answer; the body is not read yet."""
        return on_live_connection(
            lambda: self.pool.urlopen(
                "POST",
                self.target,
                _to_send(body),
                headers,
                retries=ONCE,
                redirect=False,
                assert_same_host=False,
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
        )

    def get(self, headers: Mapping[str, str], seconds: float) -> BaseHTTPResponse:
        """Return the head of an answer; the body is not read yet."""
        timeout = Timeout(connect=seconds, read=seconds)
        return on_live_connection(
            lambda: self.pool.urlopen(
                "GET",
                self.target,
                headers=headers,
                retries=ONCE,
                redirect=False,
                assert_same_host=False,  # or a proxy would be taken for another host
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
        )


def _to_send(body: RequestBody) -> Any:
    """Return *body* as urllib3 sends it, in slices where it is large; its length is in the headers."""
    if len(body) == 1 and len(body[0]) <= SLICE_BYTES:
        return body[0]
    return [
        memoryview(piece)[start : start + SLICE_BYTES]
        for piece in body
        for start in range(0, len(piece), SLICE_BYTES)
    ]


class _Adapter(HTTPAdapter):
    def __init__(self, pools: dict[str, Any]) -> None:
        """*pools* are the classes of connection pools by scheme."""
        self._pools = pools
        self._routes: dict[str, _Route] = {}
        super().__init__(CONNECTION_POOLS, CONNECTIONS_PER_HOST, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        receive_buffer = (socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        options["socket_options"] = [*HTTPConnection.default_socket_options, receive_buffer]
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def route_for(self, url: str) -> _Route:
        """Return the cached route for *url*, with the proxy and authorities of the environment."""
        route = self._routes.get(url)
        # a pool is closed once more hosts than CONNECTION_POOLS were used
        if route is None or route.pool.pool is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            route = self._routes[url] = self._build_route(url)
        return route

    def _build_route(self, url: str) -> _Route:
        request = requests.PreparedRequest()
        request.url = url
        proxies = get_environ_proxies(url, no_proxy=None)
        authorities = next((path for name in AUTHORITIES if (path := os.environ.get(name))), True)
        pool: Any = self.get_connection_with_tls_context(request, verify=authorities, proxies=proxies)
        self.cert_verify(pool, url, verify=authorities, cert=None)  # type: ignore[no-untyped-call]
        return _Route(pool, self.request_url(request, proxies))


class UpstreamClient:
    """One per process; its connections are made after the fork, by first use."""

    def __init__(self, *, connect_timeout_seconds: float, originator: str, user_agent: str) -> None:
        self._connect_timeout_seconds = connect_timeout_seconds
        self._originator = originator
        self._user_agent = user_agent
        self._public, self._anywhere = (
            _Adapter(connections.PUBLIC_ADDRESSES),
            _Adapter(connections.ANY_ADDRESS),
        )
        self._headers: dict[str, tuple[int, dict[str, str]]] = {}
        self._greenlets = GreenletPool()

    def post(
        self,
        account: Account,
        protocol: str,
        content: RequestContent,
        *,
        headers_timeout_seconds: float,
        cancellation: Cancellation,
    ) -> PendingResponse:
        """
        Begin to send *content* to *account*, by *protocol*.

        Failures are raised by `wait` of the returned PendingResponse.
        """
        sent: Any = self._headers_of(account)
        kind = kind_of(account)
        if kind.passes_client_headers:
            sent = CaseInsensitiveDict(sent)
            sent.update(content.client_headers)
        body = content.body
        sent = {**sent, **content.trace_headers, "Content-Length": str(sum(map(len, body)))}
        if content.content_type:
            sent |= {"Content-Type": content.content_type, "Accept": "*/*"}
        elif content.accept:
            sent["Accept"] = content.accept
        timeout = Timeout(connect=self._connect_timeout_seconds, read=headers_timeout_seconds)
        adapter, url = self._adapter_of(account), account.base_url + kind.path(protocol)
        task = self._greenlets.start(lambda: _answer(adapter, url, sent, body, timeout))
        return PendingResponse(task, cancellation)

    def _adapter_of(self, account: Account) -> _Adapter:
        return self._anywhere if kind_of(account).may_be_private else self._public

    def get_json(
        self, account: Account, path: str, timeout_seconds: float = 10.0, *, token: str = ""
    ) -> object:
        """
        Return the JSON of a small GET, such as a list of models, within *timeout_seconds*.

        *token* stands in for the account's own credential. Raises UpstreamError.
        """
        own = kind_of(account).credential_headers(token) if token else {}
        headers = self._headers_of(account) | {"Accept": "application/json"} | own
        until = time.monotonic() + timeout_seconds
        too_late = StreamIdleTimeout("The upstream did not answer in time")
        try:
            # http.client limits the time of each line of a head, not of the whole head
            with gevent.Timeout(timeout_seconds + LATE_SECONDS, too_late):
                route = self._adapter_of(account).route_for(account.base_url + path)
                answer = UpstreamResponse(route.get(headers, timeout_seconds))
                if answer.status >= 400:
                    raise _rejection(answer)
                if answer.status >= 300:
                    answer.body.close()
                    raise UpstreamRedirected(answer.status)
                data = _read_body(answer.body, until)
        except (requests.RequestException, HTTPError, ValueError) as error:
            raise from_exception(error) from error
        try:
            payload: object = loads(data)
        except ValueError:
            raise UpstreamProtocolError("The upstream answered with something that is not JSON") from None
        return payload

    def _headers_of(self, account: Account) -> dict[str, str]:
        version, headers = self._headers.get(account.id, (-1, {}))
        if version != account.version:
            kind = kind_of(account)
            headers = {
                "Accept": "text/event-stream",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": self._user_agent,
            }
            if account.credential:
                headers |= kind.credential_headers(account.credential)
            headers |= kind.identity_headers(account.chatgpt_account_id, self._originator)
            self._headers[account.id] = (account.version, headers)
        return headers


def _answer(
    adapter: _Adapter, url: str, headers: Mapping[str, str], body: RequestBody, timeout: Timeout
) -> UpstreamResponse | GatewayError:
    try:
        answer = UpstreamResponse(adapter.route_for(url).post(headers, body, timeout))
        if answer.status >= 400:
            return _rejection(answer)
        if answer.status >= 300:  # a redirect, or a 304 that answers no condition of ours
            answer.body.close()
            return UpstreamRedirected(answer.status)
        return answer
    except UpstreamError as error:
        return error
    except Exception as error:  # requests, urllib3, sockets and TLS have no common root
        return from_exception(error)


def _read_body(body: Body, until: float) -> bytes:
    """Return a body of at most MAX_JSON_BYTES, decompressed, by *until* (monotonic). Raises UpstreamError."""
    data = b""
    body.inflated_bytes = MAX_JSON_BYTES + 1
    try:
        while len(data) <= MAX_JSON_BYTES:
            piece = body.read(until - time.monotonic())
            if piece is None:
                raise StreamIdleTimeout("The upstream did not answer in time")
            if not piece:
                body.finish(0)
                return data
            data += piece
    except BaseException:
        body.close()
        raise
    body.close()
    raise UpstreamProtocolError(f"The upstream's answer has more than {MAX_JSON_BYTES // 2**20} MiB")


def _rejection(answer: UpstreamResponse) -> UpstreamError:
    """Read an error answer, up to ERROR_BODY_BYTES, and return its error."""
    data, until = b"", time.monotonic() + ERROR_BODY_SECONDS
    answer.body.inflated_bytes = ERROR_BODY_BYTES
    with suppress(UpstreamError):  # the status is enough
        while len(data) < ERROR_BODY_BYTES and (more := answer.body.read(until - time.monotonic())):
            data += more
    answer.body.finish(0)
    rejection = rejection_from_body(answer.status, data[:ERROR_BODY_BYTES], answer.headers)
    rejection.headers = answer.headers
    return rejection

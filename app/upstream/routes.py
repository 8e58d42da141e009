"""
Routes: the connection pool and the request target of each URL.

The adapter of requests selects the connection pool of each address once, with its proxy and
certificates; every request then uses that pool directly. Without a session, cookie jar, hooks and
look-ups in the environment this takes a third of the time of `session.post`.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Retry, Timeout
from urllib3.connection import HTTPConnection
from urllib3.util.ssl_ import create_urllib3_context

from app.upstream.connections import Pools, on_live_connection

CONNECTION_POOLS = 64  # upstream hosts with open connections
MAX_ROUTES = 1000  # addresses whose pools are cached; an account has one or two
CONNECTIONS_PER_HOST = 1000  # idle connections per host; a worker has at most 2,000 streams
RECEIVE_BUFFER_BYTES = 256 * 1024  # small, so that an upstream is slowed soon after its client is
SLICE_BYTES = 1024 * 1024  # bytes of a body that are encrypted and written before other greenlets run
SOCKET_OPTIONS = (
    *HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES),
)
ONCE = Retry(False, redirect=False)  # errors are raised unchanged: retries are decided by the relay
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # variables with the file of trusted certificates
RequestBody = Sequence[bytes | bytearray]  # the pieces of a body


class Route(NamedTuple):
    """The connection pool and the request target for one URL."""

    pool: HTTPConnectionPool
    target: str  # target of the request line: a path, or the full URL for a proxy

    def post(self, headers: Mapping[str, str], body: RequestBody, timeout: Timeout) -> BaseHTTPResponse:
        """Send a request and return the head of its response; the body is not read yet."""
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

    def get(
        self, headers: Mapping[str, str], seconds: float, connect_seconds: float | None = None
    ) -> BaseHTTPResponse:
        """Return the head of a response; the body is not read yet."""
        timeout = Timeout(connect=connect_seconds or seconds, read=seconds)
        return on_live_connection(
            lambda: self.pool.urlopen(
                "GET",
                self.target,
                headers=headers,
                retries=ONCE,
                redirect=False,
                assert_same_host=False,  # else urllib3 refuses a proxy as another host
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
        )


def _to_send(body: RequestBody) -> Any:
    """Return *body* for urllib3, in slices if it is large; its length is in the headers."""
    if len(body) == 1 and len(body[0]) <= SLICE_BYTES:
        return body[0]
    return [
        memoryview(piece)[start : start + SLICE_BYTES]
        for piece in body
        for start in range(0, len(piece), SLICE_BYTES)
    ]


class RoutingAdapter(HTTPAdapter):
    def __init__(self, pools: Pools, ca_certificates: str = "", proxy: str = "") -> None:
        """
        Servers are verified with *ca_certificates* (PEM) in place of the usual authorities.

        They are reached through *proxy*, a URL, in place of those that the environment names.
        """
        self._pools = pools
        self._proxy = proxy
        self._own_tls = _tls_context(ca_certificates) if ca_certificates else None
        self._routes: dict[str, Route] = {}
        super().__init__(CONNECTION_POOLS, CONNECTIONS_PER_HOST, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, socket_options=SOCKET_OPTIONS)
        self.poolmanager.pool_classes_by_scheme = self._pools.direct

    def route_for(self, url: str) -> Route:
        """Return the cached route for *url*; the environment sets what the adapter does not."""
        route = self._routes.get(url)
        # A pool is closed once more than CONNECTION_POOLS hosts are in use.
        if route is None or route.pool.pool is None:
            if len(self._routes) >= MAX_ROUTES:
                self._routes.clear()
            route = self._routes[url] = self._build_route(url)
        return route

    def _build_route(self, url: str) -> Route:
        request = requests.PreparedRequest()
        request.url = url
        proxies = {"all": self._proxy} if self._proxy else get_environ_proxies(url, no_proxy=None)
        authorities = _authorities()
        pool: Any = self.get_connection_with_tls_context(request, verify=authorities, proxies=proxies)
        if self._own_tls is None:  # a server without TLS may have a proxy that uses TLS
            verified = f"{pool.scheme}:"
            self.cert_verify(pool, verified, verify=authorities, cert=None)  # type: ignore[no-untyped-call]
        return Route(pool, self.request_url(request, proxies))

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools of connections through *proxy*: guarded as others are, if it is the account's."""
        if not self._proxy:
            return super().proxy_manager_for(proxy, **options)
        if self._own_tls is not None and proxy.startswith("https:"):
            options["proxy_ssl_context"] = _usual_tls_context()
        manager = super().proxy_manager_for(proxy, **options, socket_options=SOCKET_OPTIONS)
        is_socks = proxy.startswith("socks")
        manager.pool_classes_by_scheme = self._pools.socks if is_socks else self._pools.direct
        return manager

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Return what identifies the pool of *request*: its address, and how its server is verified."""
        host, options = super().build_connection_pool_key_attributes(request, verify, cert)
        own = {"cert_reqs": "CERT_REQUIRED", "ssl_context": self._own_tls}
        return host, options if self._own_tls is None else own


def _authorities() -> str | bool:
    """Return the file of certificate authorities that the environment names, True for the usual ones."""
    return next((path for name in AUTHORITIES if (path := os.environ.get(name))), True)


def _usual_tls_context() -> ssl.SSLContext:
    """Return a TLS context that trusts the usual authorities, or those that the environment names."""
    context, authorities = create_urllib3_context(), _authorities()
    path = DEFAULT_CA_BUNDLE_PATH if authorities is True else str(authorities)
    if os.path.isdir(path):
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(path)
    return context


def _tls_context(ca_certificates: str) -> ssl.SSLContext:
    """Return a TLS context that trusts only *ca_certificates*, also those that are not roots."""
    context = create_urllib3_context()
    context.load_verify_locations(cadata=ca_certificates)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context

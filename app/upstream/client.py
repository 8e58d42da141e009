"""
Send one request to one account.

Requests are sent in a separate greenlet, so that the caller can send keep-alives to its client, or give up.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

import gevent
import requests
from requests.structures import CaseInsensitiveDict
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from app.accounts.account import Account
from app.accounts.kinds import kind_of
from app.accounts.kinds.kind import bearer_headers
from app.accounts.request_settings import NO_SETTINGS
from app.errors import (
    GatewayError,
    StreamIdleTimeout,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamRedirected,
)
from app.streaming.lenient_json import loads
from app.upstream import connections
from app.upstream.cancellation import Cancellation
from app.upstream.conversation_turns import Turn
from app.upstream.echoed_secrets import hide_secrets, secrets_of
from app.upstream.errors import from_exception
from app.upstream.greenlet_pool import GreenletPool, Task
from app.upstream.responses import UpstreamResponse, read_small_body, rejection_of
from app.upstream.routes import RequestBody, RoutingAdapter
from app.upstream.websocket_request import WebSocketRequest

if TYPE_CHECKING:
    from app.upstream.websocket_transport import WebSocketTransport

AUTHORIZATION = "authorization"
LATE_SECONDS = 1.0  # later than the limits of connecting and reading, whose errors are more precise


class RequestContent(NamedTuple):
    """
    The content of a request: the pieces of its body, and headers.

    *client_headers* are headers of the client that may be forwarded to the ChatGPT backend, *trace_headers*
    identify the gateway's span. With *content_type* any type of response is accepted, else that of *accept*.
    """

    body: RequestBody
    client_headers: Mapping[str, str] = MappingProxyType({})
    trace_headers: Mapping[str, str] = MappingProxyType({})
    content_type: str = ""
    accept: str = ""  # value of `Accept`; empty: a stream of events
    turn: Turn | None = None  # the same request as a turn, if it may be sent over WebSocket


class PendingResponse:
    """A request that was sent; `wait` returns its response."""

    def __init__(self, task: Task[UpstreamResponse | GatewayError], cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self._task = task

    def wait(self, seconds: float) -> UpstreamResponse | None:
        """
        Return the response, or None when there is none after *seconds*.

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
        """Close the connection, unless `wait` has returned the response."""
        self._task.abandon()
        if isinstance(self._task.result, UpstreamResponse):
            self._task.result.body.close()


class _Sender(NamedTuple):
    """The URLs, headers and adapter for requests to one version of an account."""

    version: int
    headers: dict[str, str]  # headers of every request
    adapter: RoutingAdapter
    connect_seconds: float
    secrets: tuple[str, ...]  # hidden in errors


class UpstreamClient:
    """
    Sends requests to all accounts.

    One per process; connections are opened after the fork, at first use.
    """

    def __init__(self, *, connect_timeout_seconds: float, originator: str, user_agent: str) -> None:
        self._connect_timeout_seconds = connect_timeout_seconds
        self._originator = originator
        self._user_agent = user_agent
        self._public, self._anywhere = (
            RoutingAdapter(connections.PUBLIC_ADDRESSES),
            RoutingAdapter(connections.ANY_ADDRESS),
        )
        # Of accounts with their own certificates or proxy. An adapter is removed with its last sender.
        self._own_adapters: WeakValueDictionary[tuple[bool, str, str], RoutingAdapter] = WeakValueDictionary()
        self._senders: dict[str, _Sender] = {}
        self._greenlets = GreenletPool()
        self._websockets: WebSocketTransport | None = None

    def use_websockets(self, transport: WebSocketTransport) -> None:
        """Send requests of conversations over WebSocket if their account offers it."""
        self._websockets = transport

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
        sender, kind, body = self._sender_of(account), kind_of(account), content.body
        sent = _request_headers(sender, account, content)
        timeout = Timeout(connect=sender.connect_seconds, read=headers_timeout_seconds)
        url = account.base_url + kind.path(protocol)
        websockets = self._websockets
        if websockets is not None and content.turn is not None and kind.websocket_headers is not None:
            own = CaseInsensitiveDict({**sent, **kind.websocket_headers})
            request = WebSocketRequest(
                account.id,
                account.version,
                content.turn,
                account.settings.apply_headers(own),
                content.client_headers if kind.passes_client_headers else {},
                sender.connect_seconds,
                headers_timeout_seconds,
            )
            turn_task = self._greenlets.start(
                lambda: (
                    _turn_response(websockets, sender, url, request)
                    or _response(sender, url, sent, body, timeout)
                )
            )
            return PendingResponse(turn_task, cancellation)
        task = self._greenlets.start(lambda: _response(sender, url, sent, body, timeout))
        return PendingResponse(task, cancellation)

    def get_json(
        self, account: Account, path: str, timeout_seconds: float = 10.0, *, token: str = ""
    ) -> object:
        """
        Return the JSON of a small GET, such as a list of models, within *timeout_seconds*.

        *token* stands in for the account's own credential. Raises UpstreamError.
        """
        own = kind_of(account).credential_headers(token) if token else {}
        sender = self._sender_of(account)
        headers = sender.headers | {"Accept": "application/json"} | own
        until = time.monotonic() + timeout_seconds
        too_late = StreamIdleTimeout("The upstream did not answer in time")
        try:
            # http.client limits the time of each line of a head, not of the complete head.
            with gevent.Timeout(timeout_seconds + LATE_SECONDS, too_late):
                route = sender.adapter.route_for(account.base_url + path)
                response = UpstreamResponse(route.get(headers, timeout_seconds))
                if response.status >= 400:
                    raise hide_secrets(rejection_of(response), (*sender.secrets, *filter(None, (token,))))
                if response.status >= 300:
                    response.body.close()
                    raise UpstreamRedirected(response.status)
                data = read_small_body(response.body, until)
        except (requests.RequestException, HTTPError, ValueError) as error:
            raise from_exception(error) from error
        try:
            payload: object = loads(data)
        except ValueError:
            raise UpstreamProtocolError("The upstream answered with something that is not JSON") from None
        return payload

    def _sender_of(self, account: Account) -> _Sender:
        """Return the sender of *account*; it is made once per version of the account."""
        sender = self._senders.get(account.id)
        if sender is None or sender.version != account.version:
            sender = self._senders[account.id] = self._make_sender(account)
        return sender

    def _adapter_of(self, account: Account) -> RoutingAdapter:
        """Return the adapter of *account*, which accounts with the same certificates and proxy share."""
        may_be_private, settings = kind_of(account).may_be_private, account.settings
        if not (settings.ca_certificates or settings.proxy.url):
            return self._anywhere if may_be_private else self._public
        key = (may_be_private, settings.ca_certificates, settings.proxy.full_url)
        adapter = self._own_adapters.get(key)
        if adapter is None:
            pools = connections.ANY_ADDRESS if may_be_private else connections.PUBLIC_ADDRESSES
            adapter = self._own_adapters[key] = RoutingAdapter(pools, *key[1:])
        return adapter

    def _make_sender(self, account: Account) -> _Sender:
        kind, settings = kind_of(account), account.settings
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": self._user_agent,
        }
        if account.credential:
            headers |= _credential_headers(account)
        headers |= kind.identity_headers(account.chatgpt_account_id, self._originator)
        if settings is not NO_SETTINGS:
            headers = settings.apply_headers(headers)
        return _Sender(
            account.version,
            headers,
            self._adapter_of(account),
            settings.connect_timeout_seconds or self._connect_timeout_seconds,
            secrets_of(account),
        )


def _credential_headers(account: Account) -> dict[str, str]:
    """Return the header that holds the credential of *account*."""
    name = account.settings.auth_header
    if not name:
        return kind_of(account).credential_headers(account.credential)
    return bearer_headers(account.credential) if name.lower() == AUTHORIZATION else {name: account.credential}


def _request_headers(sender: _Sender, account: Account, content: RequestContent) -> dict[str, str]:
    """Return the headers of a request with *content*: those of the account, then those of the client."""
    own: Any = sender.headers
    if kind_of(account).passes_client_headers:
        own = CaseInsensitiveDict(own)
        own.update(content.client_headers)
        if account.settings is not NO_SETTINGS:
            own.update(account.settings.apply_headers({}))
    length = str(sum(map(len, content.body)))
    sent: dict[str, str] = {**own, **content.trace_headers, "Content-Length": length}
    if content.content_type:
        sent |= {"Content-Type": content.content_type, "Accept": "*/*"}
    elif content.accept:
        sent["Accept"] = content.accept
    return sent


def _turn_response(
    websockets: WebSocketTransport, sender: _Sender, url: str, request: WebSocketRequest
) -> UpstreamResponse | GatewayError | None:
    """Return the response to *request* over WebSocket, or its error; None: it has to be sent over HTTP."""
    try:
        return websockets.send(sender.adapter.route_for(url), request)
    except UpstreamError as error:
        return hide_secrets(error, sender.secrets)
    except Exception as error:  # as in `_response`
        return from_exception(error)


def _response(
    sender: _Sender, url: str, headers: Mapping[str, str], body: RequestBody, timeout: Timeout
) -> UpstreamResponse | GatewayError:
    try:
        response = UpstreamResponse(sender.adapter.route_for(url).post(headers, body, timeout))
        if response.status >= 400:
            return hide_secrets(rejection_of(response), sender.secrets)
        if response.status >= 300:  # a redirect, or a 304 although the request has no condition
            response.body.close()
            return UpstreamRedirected(response.status)
        return response
    except UpstreamError as error:
        return error
    except Exception as error:  # requests, urllib3, sockets and TLS have no common root
        return from_exception(error)

"""
Send requests of conversations to an account over WebSocket, where its upstream offers that.

A conversation has one connection at a time. Its requests after the first send only the new items (see
`conversation_turns`). If the upstream refuses a request before it has begun, the request is sent over HTTP
instead, or once more in full if only the connection or the upstream's state was lost:

    the handshake is answered with another status     HTTP, for AVOID_SECONDS for the whole account
    a new connection is closed before an event         the same
    a reused one is closed before it took the request  once more in full, over a new connection
    it no longer knows the latest response             the same
    a message is too large                             HTTP
    anything else after the request was sent           as over HTTP: the relay decides; the next requests
                                                       go over HTTP if the connection was a new one

Source: https://platform.openai.com/docs/guides/websocket-mode
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from app.errors import StreamIdleTimeout, UpstreamProtocolError, UpstreamUnreachable
from app.process_metrics import Counter
from app.upstream.connections import RequestNotStarted
from app.upstream.conversation_turns import (
    Input,
    LatestResponse,
    continuing_message_of,
    message_of,
)
from app.upstream.idle_websockets import IdleWebSockets
from app.upstream.routes import Route
from app.upstream.socket_state import TcpState, tcp_state
from app.upstream.websocket import (
    GOING_AWAY,
    NORMAL_CLOSURE,
    UNSUPPORTED_DATA,
    WebSocket,
    WebSocketClosed,
    handshake_headers,
    is_accepted,
)
from app.upstream.websocket_body import (
    BEFORE_RESPONSE,
    ERROR,
    WebSocketBody,
    WebSocketResponse,
    headers_of,
    noted_event,
    rejection_in,
)
from app.upstream.websocket_request import Conversation, WebSocketRequest

log = structlog.get_logger()

AVOID_SECONDS = 5 * 60.0
HANDSHAKE_SECONDS = 10.0
MAX_MESSAGE_BYTES = 15 * 1024 * 1024  # smaller than 16 MiB, from which libraries refuse frames
MAX_AVOIDED = 10_000
MAX_OPENING = 1000  # most messages before the first one of a response
OWN_STATUSES = (401, 429)  # about the credential or its use, so HTTP would give the same
# Close codes that mean that the message was not processed.
_REFUSED = frozenset((NORMAL_CLOSURE, GOING_AWAY, UNSUPPORTED_DATA, 1008, 1009, 1012, 1013))
_FORGOTTEN = ("previous_response_not_found", "websocket_connection_limit_reached")

REQUESTS = Counter(
    "poolgate_upstream_websocket_requests",
    "Requests of accounts that use WebSocket, by what they sent: new items, all, or all over HTTP.",
    ("sent",),
)


class _NotProcessed(Exception):
    """The upstream has not begun to process the request; *why* is for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class WebSocketTransport:
    """Sends requests over WebSocket. One per process."""

    def __init__(self) -> None:
        self._idle = IdleWebSockets()
        self._busy: set[Conversation] = set()
        self._avoided: dict[str, float] = {}  # account id -> until when HTTP is used (monotonic)

    def send(self, route: Route, request: WebSocketRequest) -> WebSocketResponse | None:
        """
        Return the response of *request*, once its first event has arrived; None: it has to be sent over HTTP.

        Raises UpstreamError, and what urllib3 raises where the upstream cannot be connected to.
        """
        conversation = request.conversation
        is_large = request.turn.body_bytes > MAX_MESSAGE_BYTES
        if is_large or conversation in self._busy or self._is_avoided(request.account_id):
            REQUESTS.inc(("http",))
            return None
        self._busy.add(conversation)
        response = None
        try:
            response = self._send(route, request)
        finally:
            if response is None:
                self._busy.discard(conversation)
        if response is None:
            REQUESTS.inc(("http",))
        return response

    def _send(self, route: Route, request: WebSocketRequest) -> WebSocketResponse | None:
        idle = self._idle.take(request.conversation)
        if idle is not None:
            items = Input(request.turn, idle.latest)
            try:
                return self._exchange(idle.websocket, request, items, idle.latest)
            except _NotProcessed:
                pass  # the connection or the upstream's state of the conversation was lost
        websocket = self._open(route, request)
        if websocket is None:
            return None
        try:
            return self._exchange(websocket, request, Input(request.turn, None), None)
        except _NotProcessed as refusal:
            self._avoid(request.account_id, refusal.why)
            return None
        except (UpstreamUnreachable, UpstreamProtocolError) as error:
            # So that its next requests do not fail in the same way
            self._avoid(request.account_id, error.message)
            raise

    def _open(self, route: Route, request: WebSocketRequest) -> WebSocket | None:
        """Return a new connection; None if the upstream answers but does not open one."""
        headers, key = handshake_headers(request.headers)
        seconds = min(HANDSHAKE_SECONDS, request.read_seconds)
        try:
            response = route.get(headers, seconds, request.connect_seconds)
        except ReadTimeoutError:
            self._avoid(request.account_id, "no answer to the handshake")
            return None
        except ProtocolError as error:
            if isinstance(error, RequestNotStarted):
                raise
            self._avoid(request.account_id, "the connection broke in the handshake")
            return None
        if is_accepted(response, key):
            return WebSocket(response)
        response.close()
        if response.status not in OWN_STATUSES:
            self._avoid(request.account_id, f"status {response.status} of the handshake")
        return None

    def _exchange(
        self, websocket: WebSocket, request: WebSocketRequest, items: Input, latest: LatestResponse | None
    ) -> WebSocketResponse:
        """
        Send *request* over *websocket*, which is closed unless its response begins.

        Raises _NotProcessed, and UpstreamError.
        """
        try:
            new = items.new_items
            if latest is None or new is None:
                pieces = message_of(request.turn, request.client_headers)
            else:
                pieces = continuing_message_of(request.turn, request.client_headers, latest.response_id, new)
            opening, headers = self._first_events(websocket, pieces, request.read_seconds)
        except BaseException:
            websocket.close()
            raise
        REQUESTS.inc(("all" if new is None else "new_items",))

        def release(body: WebSocketBody, is_reusable: bool) -> None:
            self._busy.discard(request.conversation)
            if is_reusable:
                after = items.latest_after(body.response_id, body.items)
                self._idle.put(request.conversation, websocket, after)

        return WebSocketResponse(headers, WebSocketBody(websocket, opening, headers, release))

    def _first_events(
        self, websocket: WebSocket, pieces: Sequence[bytes], seconds: float
    ) -> tuple[list[str], CaseInsensitiveDict[str]]:
        """Send *pieces* and return (the first messages, headers), up to one that belongs to the response."""
        before = tcp_state(websocket.socket)
        headers = websocket.take_headers()
        try:
            websocket.send(pieces)
        except OSError:
            raise _NotProcessed("the connection was closed") from None
        opening: list[str] = []
        until = time.monotonic() + seconds
        while True:
            try:
                messages = websocket.receive(until - time.monotonic())
            except WebSocketClosed as closed:
                raise _meaning_of(closed, websocket, before) from closed
            if messages is None:
                raise StreamIdleTimeout("The upstream did not begin to answer in time")
            opening += messages
            if len(opening) > MAX_OPENING:
                raise UpstreamProtocolError("The upstream sends reports, but no response")
            for message in messages:
                event = noted_event(message)
                if event is None or event["type"] not in BEFORE_RESPONSE:
                    if event is not None and event["type"] == ERROR:
                        _check_rejection(event, headers)
                    return opening, headers
                headers.update(headers_of(event))

    def _is_avoided(self, account_id: str) -> bool:
        until = self._avoided.get(account_id)
        if until is None:
            return False
        if until > time.monotonic():
            return True
        del self._avoided[account_id]
        return False

    def _avoid(self, account_id: str, why: str) -> None:
        if len(self._avoided) >= MAX_AVOIDED:
            self._avoided.clear()
        self._avoided[account_id] = time.monotonic() + AVOID_SECONDS
        log.warning("upstream_websocket_refused", account=account_id, why=why, seconds=AVOID_SECONDS)


def _check_rejection(event: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Raise _NotProcessed if *event* reports an unusable connection, or the rejection that it reports."""
    rejection = rejection_in(event)
    if rejection is None:
        return
    if rejection.code in _FORGOTTEN:
        raise _NotProcessed(str(rejection.code))
    rejection.headers = CaseInsensitiveDict({**headers, **rejection.headers})
    raise rejection


def _meaning_of(closed: WebSocketClosed, websocket: WebSocket, before: TcpState | None) -> Exception:
    """Return the exception for a connection that was *closed* before an event of the response."""
    after = tcp_state(websocket.socket)
    is_unread = (
        before is not None
        and after is not None
        and after.closed_by_peer
        and after.acknowledged_bytes == before.acknowledged_bytes
    )
    if closed.code in _REFUSED or is_unread:
        return _NotProcessed(f"close code {closed.code}")
    return UpstreamUnreachable("The connection to the upstream broke before it answered", sent=True)

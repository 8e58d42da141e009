"""
One HTTP response from one stream of events: as server-sent events, or folded into one object.

Until the first event a failure is an HTTP status. After it, it is an error event, and the stream
never looks finished.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Response

from app.accounts.settings import settings_from
from app.api.context import current_request, request_globals, services
from app.api.framing import ChatFraming, ResponsesFraming, framing_for
from app.api.headers import header_value, model_headers
from app.api.json import json_response
from app.api.ratelimit import ratelimit_headers
from app.errors import ClientGone, GatewayError
from app.relay.context import JsonObject, RequestContext
from app.relay.fallbacks import FallbackChain
from app.server.client_disconnect import DisconnectWatcher
from app.streaming.events import Event, EventBatches, UnstreamedResponse
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS, to_protocol_error
from app.websocket.response import VARIABLE as SOCKET_RESPONSE
from app.websocket.response import SocketResponse, WarmUp

SSE_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # else nginx buffers events
}


class ResponseTransform:
    """The changes that an endpoint makes to a response; this base class makes none."""

    def events(self, events: list[Event], chain: FallbackChain) -> list[Event]:
        """Return the events to send for *events* of a stream."""
        return events

    def body(self, body: JsonObject, chain: FallbackChain) -> JsonObject:
        """Return the object to send for *body*."""
        return body


UNCHANGED = ResponseTransform()


@dataclass(slots=True)
class Exchange:
    """A request, the events of its response, and the watcher of its client's socket."""

    chain: FallbackChain
    events: EventBatches
    transform: ResponseTransform
    sock: Any  # the client's socket, None without one
    watcher: DisconnectWatcher | SocketResponse | None

    def hold_last(self) -> None:
        """Hold the next data back, to send it together with the end of the body."""
        if hold := getattr(self.sock, "hold", None):
            hold()

    def close(self) -> None:
        """Settle the request, whatever its state. May be called more than once."""
        if self.watcher is not None:
            self.watcher.stop()
            self.watcher = None
        self.events.close()  # type: ignore[attr-defined]


def respond(context: RequestContext, transform: ResponseTransform = UNCHANGED) -> Response:
    """Send *context* through the relay and return the response, changed by *transform*."""
    exchange = start_exchange(context, transform)
    try:
        response = _stream_response(exchange) if context.options.stream else _object_response(exchange)
    except BaseException:
        exchange.close()
        raise
    for name, value in response_headers(exchange.chain).items():
        response.headers.add(name, value)  # `add`, because nothing else sets these: no search is needed
    return response


def start_exchange(context: RequestContext, transform: ResponseTransform = UNCHANGED) -> Exchange:
    """Return the exchange that *context* starts; the caller closes it."""
    environ = current_request().environ
    sock: Any = environ.get("gunicorn.socket")
    if sock is None and SOCKET_RESPONSE in environ:
        return _socket_exchange(environ[SOCKET_RESPONSE], context, transform)
    scope = request_globals().scope
    scope.chain = chain = services().serve(context)
    if scope.recorder is not None:  # the request must run to its end, for repeats
        sock = None
    return Exchange(
        chain,
        chain.events(),
        transform,
        sock,
        DisconnectWatcher(sock, context.caller.cancellation.client_gone) if sock is not None else None,
    )


def _socket_exchange(
    response: SocketResponse, context: RequestContext, transform: ResponseTransform
) -> Exchange:
    """Return the exchange of a message of a WebSocket. Raises WarmUp for one that generates nothing."""
    if response.is_warm_up:
        raise WarmUp(context)
    request_globals().scope.chain = chain = services().serve(context)
    watcher = response.watch(context.caller.cancellation.client_gone)
    return Exchange(chain, chain.events(), transform, None, watcher)


def _object_response(exchange: Exchange) -> Response:
    fold = framing_for(exchange.chain.context).fold()
    answered = [event for events in exchange.events for event in events or ()]
    exchange.close()
    if answered and type(answered[0]) is UnstreamedResponse:
        return _unstreamed_response(answered[0], exchange)
    try:
        for event in answered:
            fold.add_event(event.payload)
        return json_response(exchange.transform.body(fold.result(), exchange.chain))
    except MALFORMED_EVENT_ERRORS as error:
        raise to_protocol_error(error) from error


def _unstreamed_response(unstreamed: UnstreamedResponse, exchange: Exchange) -> Response:
    """Return a response that the upstream sent as one object, byte for byte where nothing changes it."""
    if exchange.transform is UNCHANGED:
        return Response(unstreamed.encoded(), content_type="application/json")
    return json_response(exchange.transform.body(unstreamed.payload, exchange.chain))


def _stream_response(exchange: Exchange) -> Response:
    first = next(exchange.events, [])  # a failure up to here has an HTTP status
    framing: ChatFraming | ResponsesFraming | SocketResponse
    if exchange.sock is None and isinstance(exchange.watcher, SocketResponse):
        framing = exchange.watcher
    else:
        framing = framing_for(exchange.chain.context)
    response = Response(_frames(framing, exchange, first), headers=SSE_HEADERS)
    response.call_on_close(exchange.close)
    return response


def _frames(
    framing: ChatFraming | ResponsesFraming | SocketResponse, exchange: Exchange, first: list[Event] | None
) -> Iterator[bytes]:
    def frame(events: list[Event] | None) -> bytes:
        if not events:
            return framing.keepalive()
        try:
            return framing.frames(exchange.transform.events(events, exchange.chain))
        except MALFORMED_EVENT_ERRORS as error:
            raise to_protocol_error(error) from error

    try:
        yield frame(first)
        del first  # a stream lasts: what was sent is released while more is waited for
        yield from map(frame, exchange.events)
    except ClientGone:
        return
    except GatewayError as error:
        exchange.hold_last()
        yield framing.error(error, exchange.chain.context)
    else:
        if end := framing.end():
            exchange.hold_last()
            yield end


def response_headers(chain: FallbackChain) -> dict[str, str]:
    """Return the headers that report how the request was served."""
    served = chain.served_by()
    headers: dict[str, str] = {}
    if served.account_name and settings_from(served.context.caller.key.settings).names_accounts:
        headers["x-poolgate-account"] = header_value(served.account_name)
    if served.context.request.response_model:
        headers |= model_headers(served.context.request)
    if served.limits:
        headers |= ratelimit_headers(served.limits, served.admitted_at)
    if served.ignored:
        headers["x-poolgate-ignored"] = header_value(", ".join(served.ignored))
    return headers

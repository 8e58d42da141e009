"""
One answer from one stream of events: as server-sent events, or folded into one object.

Until the first event a failure is an HTTP status. After it, it is an event, and the stream
never looks finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Response

from app.accounts.settings import settings_from
from app.api.context import noted, services, this_request
from app.api.json import json_response
from app.api.ratelimit import ratelimit_headers
from app.errors import ClientGone, GatewayError
from app.relay.context import RequestContext
from app.relay.fallbacks import FallbackChain
from app.server.client_disconnect import DisconnectWatcher
from app.streaming import frames
from app.streaming.events import Event
from app.streaming.fold_chat import ChatFold
from app.streaming.fold_responses import ResponsesFold
from app.streaming.malformed_events import MALFORMED_EVENT_ERRORS, to_protocol_error

SSE_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}

Events = Iterator[list[Event] | None]


class ChatSurface:
    """How the chat wire is framed."""

    fold = ChatFold

    def frames(self, events: list[Event]) -> bytes:
        return frames.chat_frames(events)

    def keepalive(self) -> bytes:
        return frames.COMMENT

    def end(self) -> bytes:
        return frames.CHAT_DONE

    def error(self, envelope: dict[str, Any], call: RequestContext) -> bytes:
        return frames.chat_error(envelope)


class ResponsesSurface:
    """How the Responses wire is framed. A failure takes the next number; a keep-alive repeats the last."""

    fold = ResponsesFold

    def __init__(self) -> None:
        self._response_id: str | None = None
        self._sequence_number = 0

    def frames(self, events: list[Event]) -> bytes:
        number = events[-1].payload.get("sequence_number")
        if type(number) is int:
            self._sequence_number = number
        if self._response_id is None:
            response = events[0].payload.get("response")
            found = response.get("id") if isinstance(response, dict) else None
            self._response_id = found if isinstance(found, str) else ""
        return frames.responses_frames(events)

    def keepalive(self) -> bytes:
        if self._response_id is None:
            return frames.COMMENT
        return frames.responses_keepalive(self._sequence_number)

    def end(self) -> bytes:
        return b""

    def error(self, envelope: dict[str, Any], call: RequestContext) -> bytes:
        return frames.responses_failed(
            envelope,
            response_id=self._response_id or call.request_id,
            created_at=int(call.key.now),
            sequence_number=self._sequence_number + 1,
        )


class CodexSurface(ResponsesSurface):
    """The Responses wire as the ChatGPT backend's own clients are used to it."""

    def keepalive(self) -> bytes:
        return frames.COMMENT if self._response_id is None else frames.CODEX_KEEPALIVE

    def end(self) -> bytes:
        return frames.CHAT_DONE

    def error(self, envelope: dict[str, Any], call: RequestContext) -> bytes:
        return super().error(envelope, call) + frames.CHAT_DONE


SURFACES: dict[str, Callable[[], ChatSurface | ResponsesSurface]] = {
    "chat": ChatSurface,
    "responses": ResponsesSurface,
    "responses/compact": ResponsesSurface,
}


def surface_of(call: RequestContext) -> ChatSurface | ResponsesSurface:
    return CodexSurface() if call.keep_codex_events else SURFACES[call.surface]()


class Shape:
    """What an endpoint makes of an answer; this one leaves it as it is."""

    def events(self, events: list[Event], answering: FallbackChain) -> list[Event]:
        return events

    def whole(self, body: dict[str, Any], answering: FallbackChain) -> dict[str, Any]:
        return body


@dataclass(slots=True)
class Exchange:
    """A call, the events it brings, and the client's socket that is watched meanwhile."""

    answering: FallbackChain
    events: Events
    shape: Shape
    sock: Any  # the client's, None without one
    hangup: DisconnectWatcher | None

    def sends_last(self) -> None:
        """Let what comes now go out with the end of the body."""
        if hold := getattr(self.sock, "hold", None):
            hold()

    def close(self) -> None:
        """Settle, whatever state the exchange is in. May be called more than once."""
        if self.hangup is not None:
            self.hangup.stop()
            self.hangup = None
        self.events.close()  # type: ignore[attr-defined]


def answer(call: RequestContext, shape: Shape | None = None) -> Response:
    """Send *call* through the relay and return its answer, as *shape* has it."""
    exchange = begun(call, shape)
    try:
        response = _streamed(exchange) if call.stream else _whole(exchange)
    except BaseException:
        exchange.close()
        raise
    for name, value in told(exchange.answering).items():
        response.headers.add(name, value)  # nothing else sets these: no need to search for them
    return response


def begun(call: RequestContext, shape: Shape | None = None) -> Exchange:
    """Return the exchange that *call* begins; whoever asks for it closes it."""
    sock: Any = this_request().environ.get("gunicorn.socket")
    noted().scope.answering = answering = services().answering(call)
    return Exchange(
        answering,
        answering.events(),
        shape or Shape(),
        sock,
        DisconnectWatcher(sock, call.cancellation.client_gone) if sock is not None else None,
    )


def _whole(exchange: Exchange) -> Response:
    fold = surface_of(exchange.answering.context).fold()
    gathered = [event.payload for events in exchange.events for event in events or ()]
    exchange.close()
    try:
        for payload in gathered:
            fold.add_event(payload)
        return json_response(exchange.shape.whole(fold.result(), exchange.answering))
    except MALFORMED_EVENT_ERRORS as error:
        raise to_protocol_error(error) from error


def _streamed(exchange: Exchange) -> Response:
    first = next(exchange.events, [])  # a failure up to here is still an HTTP status
    surface = surface_of(exchange.answering.context)
    response = Response(_frames(surface, exchange, first), headers=SSE_HEADERS)
    response.call_on_close(exchange.close)
    return response


def _frames(
    surface: ChatSurface | ResponsesSurface, exchange: Exchange, first: list[Event] | None
) -> Iterator[bytes]:
    def framed(events: list[Event] | None) -> bytes:
        if not events:
            return surface.keepalive()
        try:
            return surface.frames(exchange.shape.events(events, exchange.answering))
        except MALFORMED_EVENT_ERRORS as error:
            raise to_protocol_error(error) from error

    try:
        yield framed(first)
        for events in exchange.events:
            yield framed(events)
    except ClientGone:
        return
    except GatewayError as error:
        exchange.sends_last()
        yield surface.error(error.envelope(), exchange.answering.context)
    else:
        if end := surface.end():
            exchange.sends_last()
            yield end


def header_value(text: str) -> str:
    """Return *text* as a header can carry it: percent-encoded UTF-8 where it is not printable ASCII."""
    if text.isascii() and text.isprintable():
        return text
    return quote(text, safe="@+,; =", errors="replace")


def told(answering: FallbackChain) -> dict[str, str]:
    """What headers say of how the request was served."""
    told, call, record = {}, answering.context, answering.record
    if record.account_name and settings_from(call.key.settings).names_accounts:
        told["x-poolgate-account"] = header_value(record.account_name)
    if record.limits:
        told |= ratelimit_headers(record.limits, record.admitted_ms / 1000)
    if record.ignored:
        told["x-poolgate-ignored"] = header_value(", ".join(record.ignored))
    return told

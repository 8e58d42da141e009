"""
The Responses API over one connection: its lanes, and the requests that run in them.

A lane runs one response at a time, in the order of its messages; lanes run side by side.
Source: https://platform.openai.com/docs/guides/websocket-mode
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import orjson
import structlog
from gevent.event import Event

from app.errors import (
    ConnectionLimitReached,
    GatewayError,
    InvalidApiKey,
    InvalidRequest,
    LaneUnusable,
    Overloaded,
    PayloadTooLarge,
    QuotaExceeded,
    internal_error,
)
from app.websocket.bounds import MessageBudget, Rate
from app.websocket.connection import WebSocketConnection
from app.websocket.continuation import Continuations, ConversationMemory
from app.websocket.frames import (
    Create,
    JsonObject,
    body_of,
    create_of,
    error_frame,
    error_message,
    lane_of,
)
from app.websocket.requests import Application, ApplicationResponse, Environ, environ_of
from app.websocket.response import CONTINUABLE, SocketResponse

log = structlog.get_logger()

MAX_RUNNING = 16  # responses that run at the same time
MAX_LANES = 32  # lanes with a name
MAX_WAITING = 64  # messages that wait for their lane
MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 100, 500  # including pings and pongs
NORMAL, RESTART, VIOLATION = 1000, 1012, 1008  # Close codes


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Limits of one connection, in bytes and seconds."""

    max_message_bytes: int
    max_waiting_bytes: int
    idle_seconds: float
    age_seconds: float


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """The memory that all connections of a process share."""

    conversations: ConversationMemory
    messages: MessageBudget


class WebSocketSession:
    """The `Handler` of a connection."""

    takes_binary = False

    def __init__(
        self,
        connection: WebSocketConnection,
        application: Application,
        environ: Environ,
        parse: Callable[[bytes], JsonObject],
        limits: SessionLimits,
        shared: SharedMemory,
    ) -> None:
        """*environ* is that of the handshake; *parse* returns the JSON object of a message, or raises."""
        self._connection = connection
        self._application = application
        self._environ = environ
        self._parse = parse
        self._limits = limits
        self._running: dict[str, SocketResponse] = {}  # responses by lane
        self._waiting: deque[Create] = deque()
        self._waiting_bytes = 0
        self._lanes: set[str] = set()
        self._continuations = Continuations(shared.conversations)
        self._active_at = time.monotonic()
        self._rate = Rate(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE, self._active_at)
        self._budget = shared.messages
        self.responses = 0  # number of responses that were begun
        self._is_draining = False
        self._is_revoked = False
        self._ended = Event()  # set while nothing runs
        self._ended.set()

    # called by the connection's reader

    def receive(self, message: bytes) -> None:
        """Handle a message of the client."""
        if not self._is_allowed():
            return
        self._active_at = time.monotonic()
        lane = ""
        try:
            parsed = self._parse(message)
            lane = lane_of(parsed)
            self._handle(parsed, lane, len(message))
        except GatewayError as error:
            self._connection.send_text(error_frame(error, lane))

    def receive_control(self) -> None:
        """Count a ping or pong, which does not count as activity."""
        self._is_allowed()

    def _is_allowed(self) -> bool:
        """Count a message and return whether it is allowed; too many close the connection."""
        if self._rate.allows(time.monotonic()):
            return True
        error = QuotaExceeded("This connection sends too many messages", retry_after_seconds=1)
        self._connection.send_text(error_frame(error))
        self._connection.close(VIOLATION, "too many messages")
        return False

    def overloaded(self) -> None:
        self._connection.send_text(error_frame(Overloaded("This gateway process holds too many messages")))

    def too_large(self) -> None:
        limit = self._limits.max_message_bytes // (1024 * 1024)
        self._connection.send_text(error_frame(PayloadTooLarge(f"The message is larger than {limit} MiB")))

    def next_check(self, now: float) -> float:
        """Close a connection that is too old or idle for too long."""
        if self._running or self._waiting:
            return now + self._limits.idle_seconds  # it cannot be idle earlier, even if all responses end now
        until = min(
            self._active_at + self._limits.idle_seconds, self._connection.opened_at + self._limits.age_seconds
        )
        if now >= until:
            self._connection.close(NORMAL)
        return until

    def closed(self) -> None:
        self._take_waiting()
        for response in list(self._running.values()):
            response.cancel()
        self._ended.wait()
        self._continuations.close()

    # called by other greenlets

    def drain(self) -> None:
        """Close the connection as soon as nothing runs; the client continues at another process."""
        self._is_draining = True
        self._close_if_due()

    def _handle(self, message: JsonObject, lane: str, size: int) -> None:
        kind = message.get("type")
        if kind == "response.create":
            self._create(create_of(message, size))
        elif kind == "response.cancel":
            self._cancel(message, lane)
        elif kind == "response.steer":
            self._refuse_steering(message)
        elif kind != "response.processed":
            raise InvalidRequest("type must be response.create or response.cancel", param="type")

    def _create(self, create: Create) -> None:
        if self._is_over():
            raise self._end_reason()
        if create.lane and create.lane not in self._lanes:
            if len(self._lanes) >= MAX_LANES:
                raise LaneUnusable(
                    f"This connection has the maximum number of distinct stream IDs ({MAX_LANES})",
                    "websocket_stream_limit_reached",
                    "stream_id",
                )
            self._lanes.add(create.lane)
        waiting_bytes = self._waiting_bytes + create.size
        if self._waiting and (
            len(self._waiting) >= MAX_WAITING or waiting_bytes > self._limits.max_waiting_bytes
        ):
            raise LaneUnusable("Too many messages wait for their lane", "websocket_queue_full")
        if not self._budget.take(create.size):
            self._budget.give(create.size)
            raise Overloaded("This gateway process holds too many messages", retry_after_seconds=1)
        self._waiting.append(create)
        self._waiting_bytes = waiting_bytes
        self._start_waiting()

    def _start_waiting(self) -> None:
        """Start the first messages whose lanes are free."""
        for create in tuple(self._waiting):
            if len(self._running) >= MAX_RUNNING:
                return
            if create.lane not in self._running:
                self._waiting.remove(create)
                self._waiting_bytes -= create.size
                self.responses += 1
                response = SocketResponse(
                    self._connection.encode, self._keep, create.lane, is_warm_up=not create.generates
                )
                self._running[create.lane] = response
                self._ended.clear()
                gevent.spawn(self._run, create, response)

    def _keep(self, response: SocketResponse) -> None:
        if response.input is not None:
            items = response.input + response.output()
            self._continuations.keep(response.lane, response.response_id, items)

    def _run(self, create: Create, response: SocketResponse) -> None:
        try:
            self._respond(create, response)
        except GatewayError as error:
            self._connection.send_text(error_frame(error, create.lane))
        except Exception as error:
            if self._connection.is_open:  # else the client has left, which the reader notices
                log.exception("unhandled_error", kind=type(error).__name__)
                self._connection.send_text(error_frame(internal_error(), create.lane))
        finally:
            del self._running[create.lane]
            self._budget.give(create.size)
            self._active_at = time.monotonic()
            self._start_next_or_close()

    def _start_next_or_close(self) -> None:
        """After a response has ended, start waiting messages or close the connection."""
        if self._is_over():
            for create in self._take_waiting():
                self._connection.send_text(error_frame(self._end_reason(), create.lane))
        elif self._connection.is_open:
            self._start_waiting()
        if not self._running:
            self._ended.set()
            self._close_if_due()

    def _take_waiting(self) -> deque[Create]:
        """Remove and return the waiting messages, so that they are not started."""
        waiting, self._waiting = self._waiting, deque()
        self._budget.give(self._waiting_bytes)
        self._waiting_bytes = 0
        return waiting

    def _close_if_due(self) -> None:
        if self._running:
            return
        if self._is_revoked:
            self._connection.close(VIOLATION, "the API key is not valid any more")
        elif self._is_draining:
            self._connection.close(RESTART, "this gateway process is restarting")
        elif self._is_over():
            self._connection.close(NORMAL)

    def _is_over(self) -> bool:
        """Whether the connection takes no more requests."""
        age = time.monotonic() - self._connection.opened_at
        return self._is_revoked or self._is_draining or age >= self._limits.age_seconds

    def _end_reason(self) -> GatewayError:
        """Return why the connection takes no more requests."""
        if self._is_revoked:
            return InvalidApiKey("The API key of this connection is not valid any more")
        if self._is_draining:
            return ConnectionLimitReached("This gateway process is restarting")
        minutes = max(1, round(self._limits.age_seconds / 60))
        return ConnectionLimitReached(f"Responses websocket connection limit reached ({minutes} minutes)")

    def _respond(self, create: Create, response: SocketResponse) -> None:
        """Run the request in *create*, and send its events."""
        body, response.input = body_of(create, self._continuations.before(create))
        http_response = ApplicationResponse(
            self._application, environ_of(self._environ, create.headers, body, response)
        )
        del body
        try:
            if http_response.head.status >= 400:
                if not response.is_cancelled:
                    self._refuse(http_response, create)
            else:
                for chunk in http_response.chunks:
                    self._connection.send(chunk)
        finally:
            http_response.close()
            if response.finish not in CONTINUABLE and not response.is_cancelled:
                self._continuations.forget(create)
        if response.is_cancelled and not response.finish:
            self._connection.send_text(error_message(499, CANCELLED, {}, create.lane))

    def _refuse(self, http_response: ApplicationResponse, create: Create) -> None:
        """Send the error of a request that was refused; an unknown key ends the connection."""
        head = http_response.head
        error = orjson.loads(b"".join(http_response.chunks))["error"]
        self._is_revoked |= head.status == 401
        headers = {name: head.headers[name] for name in _SHOWN if name in head.headers}
        self._connection.send_text(error_message(head.status, error, headers, create.lane))

    def _cancel(self, message: JsonObject, lane: str) -> None:
        """Cancel the response that *message* names, or that of its lane; no effect if it has ended."""
        response_id = message.get("response_id")
        for name, response in list(self._running.items()):
            if name == lane if response_id is None else response.response_id == response_id:
                response.cancel()

    def _refuse_steering(self, message: JsonObject) -> None:
        steer: dict[str, Any] = {
            "previous_response_id": message.get("previous_response_id"),
            "input": message.get("input"),
        }
        error = {
            "type": "invalid_request_error",
            "code": "steering_not_supported",
            "message": "A running response takes no more input here; send it with the next response.create",
            "param": None,
        }
        event = {"type": "response.steer.failed", "sequence_number": 0, "error": error, "steer": steer}
        self._connection.send_text(orjson.dumps(event))


_SHOWN = ("retry-after", "x-request-id", "x-poolgate-request-id", "x-should-retry")
CANCELLED = {
    "type": "invalid_request_error",
    "code": "response_cancelled",
    "message": "The response was cancelled by its client",
}

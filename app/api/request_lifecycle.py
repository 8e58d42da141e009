"""
What surrounds a request: room for it, patience with its client, and one line in the log at its end.

Its end is when the last byte is out, or when nobody is left to take it. The line tells ids,
numbers and constant words; never what was asked or answered.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import structlog
from flask import Flask, Response

from app import descriptors
from app.api import metrics
from app.api.auth import presented_key
from app.api.context import noted, services, this_request
from app.api.request_ids import new_request_id
from app.errors import GatewayError
from app.ledger.refusal_log import RefusalLog
from app.relay.fallbacks import FallbackChain
from app.server.capacity import COPIES, Capacity
from app.stores.records.refusals import Refusal
from app.tracing import Trace, Tracing

log = structlog.get_logger()

UNCOUNTED = frozenset(["health", "metrics"])  # blueprints that answer however full it is, and are not logged
UNRECORDED = frozenset([401, 499])  # nobody we know, and nobody left to ask about it
SPAN_TELLS = (
    *("request_id", "outcome", "account", "model"),
    *("attempts", "input_tokens", "output_tokens"),
)


class RequestScope:
    """
    One request from its head to its last byte.

    `answering` is set by whoever sends it to an account; `trace` is None where nobody wants spans.
    """

    __slots__ = (
        *("_entered", "_memory", "_names", "_refusal", "_refusals"),
        *("_room", "_socket", "_started", "_status", "answering", "model", "trace"),
    )

    def __init__(self, room: Capacity, refusals: RefusalLog, slow_client_seconds: float) -> None:
        self.answering: FallbackChain | None = None
        self.model = ""  # as an invalid body names it
        self._refusals = refusals
        self._refusal: Refusal | None = None
        self.trace: Trace | None = None
        self._room = room
        self._started = time.perf_counter()
        asks = this_request()
        self._memory = (asks.content_length or 0) * COPIES
        self._entered = False
        self._status = 0
        self._names: dict[str, Any] = {}
        self._socket = asks.environ.get("gunicorn.socket")
        if self._socket is not None:
            self._socket.settimeout(slow_client_seconds)

    def enter(self, tracing: Tracing | None) -> None:
        """Raises Overloaded."""
        if tracing is not None:
            self.trace = tracing.begin(this_request().headers)
        self._room.enter(self._memory)
        self._entered = True
        metrics.OPEN.inc()

    def grow(self, size: int) -> None:
        """Count *size* bytes more of the body than its head told. Raises Overloaded."""
        self.hold(size * COPIES)

    def hold(self, memory_bytes: int) -> None:
        """Count memory that this request takes until it ends. Raises Overloaded."""
        self._room.grow(memory_bytes)
        self._memory += memory_bytes

    def refused(self, error: GatewayError, status: int) -> None:
        """Note that *error* is the answer; a request for a model gets an id, by which it is found later."""
        if status in UNRECORDED or self.answering is not None:
            return
        asks, notes = this_request(), noted()
        if asks.method != "POST" or asks.url_rule is None:
            return
        if "poolgate_request_id" not in notes:
            notes.poolgate_request_id = new_request_id()
        known = notes.get("api_key")
        self._refusal = Refusal(
            id=notes.poolgate_request_id,
            at_ms=round(time.time() * 1000),
            model=getattr(error, "model", "") or self.model,
            endpoint=asks.path.rstrip("/"),
            status=status,
            code=error.code or "error",
            message=error.message,
            param=error.param,
            pool=known.pool if known else "",
            key=known.id if known else "",
            presented="" if known else presented_key(),
        )

    def answered(self, response: Response) -> None:
        """Note what can be told only while Flask still knows of the request."""
        self._status = response.status_code
        asks, notes = this_request(), noted()
        self._names = {
            "request_id": notes.get("request_id"),
            "method": asks.method,
            "endpoint": asks.url_rule.rule if asks.url_rule else "unknown",
        }
        if "api_key" in notes:
            self._names["key"] = notes.api_key.id
        if asks.blueprint not in UNCOUNTED:
            response.call_on_close(self.tell)
        closing = response.close

        def close() -> None:
            """Leave whatever fails before: the stream's own end, or the log line."""
            try:
                closing()
            finally:
                self.leave()

        response.close = close  # type: ignore[method-assign]

    def leave(self) -> None:
        """Give the room back, and the connection to whoever waits for its next request."""
        if self._entered:
            self._entered = False
            self._room.leave(self._memory)
            metrics.OPEN.dec()
        if self._socket is not None:
            with suppress(OSError):  # closed already
                self._socket.settimeout(None)

    def tell(self) -> None:
        seconds = time.perf_counter() - self._started
        row = self.answering.record.row if self.answering is not None else {}
        metrics.observe(self._names["endpoint"], self._status, seconds, row)
        told = self._names | row | {"status": self._status, "total_ms": round(seconds * 1000)}
        if row:
            told |= {"outcome": row["status"], "attempts": len(row["attempts"])}
            told["poolgate_request_id"] = told.pop("id")
        log.info("request_ended", **told)
        if refusal := self._refusal or self._refusal_at_admission():
            self._refusals.add(refusal)
        if self.trace is not None:
            self.trace.end(
                self._names["method"],
                self._names["endpoint"],
                self._status,
                id=told.get("poolgate_request_id"),
                **{name: told.get(name) for name in SPAN_TELLS},
            )

    def _refusal_at_admission(self) -> Refusal | None:
        if self.answering is None or self.answering.refused is None:
            return None
        call, error = self.answering.refused
        if error.status in UNRECORDED:
            return None
        return Refusal(
            id=call.request_id,
            at_ms=round(time.time() * 1000),
            model=call.model,
            endpoint=call.endpoint,
            status=error.status,
            code=error.code or "error",
            message=error.message,
            param=error.param,
            pool=call.key.pool,
            key=call.key.id,
            admission=error.admission,
        )


def register(app: Flask) -> None:
    room = Capacity(max_requests=descriptors.max_requests())

    def arrive() -> None:
        ours = services()
        noted().scope = scope = RequestScope(room, ours.ledger.refusal_log, ours.settings.slow_client_seconds)
        if this_request().blueprint not in UNCOUNTED:
            scope.enter(ours.tracing)

    def depart(response: Response) -> Response:
        scope = noted().get("scope")
        if scope is not None:
            scope.answered(response)
        return response

    app.before_request(arrive)
    app.after_request(depart)

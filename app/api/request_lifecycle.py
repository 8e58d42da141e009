"""
Request lifecycle: process capacity, the client's timeout, one log line, metrics and the refusal log.

A request ends when its last byte is sent, or its client has left. The log line has ids, numbers and
constant words; never the content of a request or response.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from flask import Flask, Response

from app import descriptors
from app.api import metrics
from app.api.auth import presented_key
from app.api.context import current_request, request_globals, services
from app.api.idempotency import record_response
from app.api.key_metrics import KeyMetrics
from app.api.request_ids import new_request_id
from app.api.request_line import UNRECORDED, model_fields, refusal_fields, refusal_of, row_fields
from app.errors import GatewayError
from app.ledger.refusal_log import RefusalLog
from app.relay.fallbacks import FallbackChain
from app.relay.recordings import ResponseRecorder
from app.server.capacity import COPIES, Capacity
from app.stores.records.api_keys import ApiKey
from app.stores.records.refusals import RefusedRequest
from app.tracing import Trace, Tracing
from app.websocket.response import VARIABLE as SOCKET_RESPONSE

log = structlog.get_logger()

UNCOUNTED = frozenset(["health", "metrics"])  # blueprints whose requests take no capacity and are not logged
SPAN_ATTRIBUTES = (
    *("request_id", "outcome", "account", "model"),
    *("attempts", "input_tokens", "output_tokens"),
)


class RequestScope:
    """
    One request from its head to its last byte.

    `chain` is set once the request is sent to accounts; `model` is the model that the body names, as far as
    it was read; `trace` is None while tracing is off; `recorder` is
    set if the response is recorded for repeats, `is_replay` if it is a recorded response.
    """

    __slots__ = (
        *("_by_key", "_capacity", "_has_entered", "_key", "_log_fields", "_memory", "_refusal", "_refusals"),
        *("_error_code", "_socket", "_started", "_status"),
        *("chain", "is_replay", "model", "recorder", "trace"),
    )

    def __init__(
        self,
        capacity: Capacity,
        refusals: RefusalLog,
        by_key: KeyMetrics | None,
        slow_client_seconds: float,
    ) -> None:
        self.chain: FallbackChain | None = None
        self.model = ""
        self.recorder: ResponseRecorder | None = None
        self.is_replay = False
        self._refusals = refusals
        self._by_key = by_key
        self._key: ApiKey | None = None
        self._refusal: RefusedRequest | None = None
        self._error_code: str | None = None  # of the response, if that is an error
        self.trace: Trace | None = None
        self._capacity = capacity
        self._started = time.perf_counter()
        request = current_request()
        self._memory = (request.content_length or 0) * COPIES
        self._has_entered = False
        self._status = 0
        self._log_fields: dict[str, Any] = {}
        self._socket = request.environ.get("gunicorn.socket")
        if self._socket is not None:
            self._socket.settimeout(slow_client_seconds)

    def enter(self, tracing: Tracing | None) -> None:
        """Take capacity for the request, and start its span. Raises Overloaded."""
        if tracing is not None:
            self.trace = tracing.begin(current_request().headers)
        self._capacity.enter(self._memory)
        self._has_entered = True
        metrics.OPEN.value += 1

    def grow(self, size: int) -> None:
        """Take capacity for *size* bytes of the body that its headers did not announce. Raises Overloaded."""
        self.hold(size * COPIES)

    def hold(self, memory_bytes: int) -> None:
        """Take capacity for memory that the request uses until it ends. Raises Overloaded."""
        self._capacity.grow(memory_bytes)
        self._memory += memory_bytes

    def note_refusal(self, error: GatewayError, status: int) -> None:
        """
        Note the code of *error*, and prepare the refusal log's entry.

        A model request gets an id to search for.
        """
        self._error_code = error.recorded_code
        if status in UNRECORDED or self.chain is not None:
            return
        request, state = current_request(), request_globals()
        if request.method != "POST" or request.url_rule is None:
            return
        if "poolgate_request_id" not in state:
            state.poolgate_request_id = new_request_id()
        key = state.get("api_key")
        self._refusal = RefusedRequest(
            id=state.poolgate_request_id,
            at_ms=round(time.time() * 1000),
            model=getattr(error, "model", "") or self.model,
            endpoint=request.path.rstrip("/"),
            status=status,
            code=error.code or "error",
            message=error.message,
            param=error.param,
            pool=key.pool if key else "",
            key=key.id if key else "",
            team=key.team if key else "",
            attribution=key.attribution if key else None,
            presented="" if key else presented_key(),
        )

    def note_response(self, response: Response) -> None:
        """Note what is known only during the Flask request, and end the scope when *response* ends."""
        self._status = response.status_code
        request, state = current_request(), request_globals()
        self._log_fields = {
            "request_id": state.get("request_id"),
            "method": request.method,
            "endpoint": request.url_rule.rule if request.url_rule else "unknown",
        }
        if "poolgate_request_id" in state:
            self._log_fields["poolgate_request_id"] = state.poolgate_request_id
        if SOCKET_RESPONSE in request.environ:
            self._log_fields["transport"] = "websocket"
        if "api_key" in state:
            self._key = state.api_key
            self._log_fields |= {"key": state.api_key.id, "key_name": state.api_key.name}
        if self.is_replay:
            self._log_fields["replayed"] = True
        if self.recorder is not None:
            record_response(response, self.recorder, self.chain)
        if request.blueprint not in UNCOUNTED:
            response.call_on_close(self.log_end)
        close_response = response.close

        def close() -> None:
            """Leave even if the end of the stream, or the log line, fails."""
            try:
                close_response()
            finally:
                self.leave()
                response.__dict__.pop("close", None)  # a cycle: it refers to the response

        response.close = close  # type: ignore[method-assign]

    def leave(self) -> None:
        """Release the capacity, and reset the timeout of the connection for its next request."""
        if self._has_entered:
            self._has_entered = False
            self._capacity.leave(self._memory)
            metrics.OPEN.value -= 1
        if self._socket is not None:
            with suppress(OSError):  # the socket is already closed
                self._socket.settimeout(None)

    def log_end(self) -> None:
        """Write the log line, metrics, the refusal and the span of the ended request."""
        seconds = time.perf_counter() - self._started
        chain = self.chain
        rows = chain.ledger_rows if chain else []
        row: Mapping[str, Any] = rows[-1] if rows else {}
        metrics.observe(self._log_fields["endpoint"], self._status, seconds, rows)
        refused = chain and chain.take_refusal()
        refusal = refusal_of(*refused) if refused else self._refusal
        if self._by_key is not None and self._key is not None:
            self._by_key.observe(self._key, rows, is_refused=refusal is not None)
        if refusal is not None:
            self._refusals.add(refusal)
        fields = {
            **self._log_fields,
            **model_fields(chain.context if chain else None, self.model),
            **row_fields(row, chain.account_name if chain else ""),
            **(refusal_fields(refused[1]) if refused else self._error_fields(row)),
            "status": self._status,
            "total_ms": round(seconds * 1000),
        }
        log.info("request_ended", **fields)
        if self.trace is not None:
            self.trace.end(
                self._log_fields["method"],
                self._log_fields["endpoint"],
                self._status,
                id=fields.get("poolgate_request_id"),
                **{name: fields.get(name) for name in SPAN_ATTRIBUTES},
            )

    def _error_fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the code of an error response, unless it is the error of the ledger *row*."""
        code = self._error_code
        return {"code": code} if code and code != row.get("error") else {}


def register(app: Flask, by_key: KeyMetrics | None) -> None:
    """Open a scope before each request of *app*, and end it with the response; count it by key, too."""
    capacity = Capacity(max_requests=descriptors.max_requests())

    def open_scope() -> None:
        current = services()
        scope = RequestScope(
            capacity, current.ledger.refusal_log, by_key, current.settings.slow_client_seconds
        )
        request_globals().scope = scope
        if current_request().blueprint not in UNCOUNTED:
            scope.enter(current.tracing)

    def end_scope(response: Response) -> Response:
        scope = request_globals().get("scope")
        if scope is not None:
            scope.note_response(response)
        return response

    app.before_request(open_scope)
    app.after_request(end_scope)

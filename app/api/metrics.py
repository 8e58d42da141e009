"""
GET /metrics, for Prometheus: totals over all web processes of this service.

Labels have few values: routes, statuses and the constants below, never a model; only attempts and rescues
have an account's name, and those of `key_metrics` a key's. Usage by key and model is in the ledger.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from app.api.context import services
from app.api.store_metrics import StoreMetrics
from app.errors import GatewayError, InvalidApiKey, UpstreamRejected
from app.process_metrics import Counter, Gauge, Histogram, ProcessMetrics
from app.websocket.registry import ConnectionSummary

bp = Blueprint("metrics", __name__)

CLOSE_CODES = frozenset((*range(1000, 1004), *range(1005, 1014)))
FOLDER = "POOLGATE_METRICS_FOLDER"  # set by `gunicorn_settings`, which makes the folder
FRESH_SECONDS = 1.0  # how long metrics are reused if no token is needed
SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
# Codes of failed attempts that are metric labels. Codes of upstreams are not: they are unbounded.
FAILURES = frozenset(
    [
        "upstream_error",
        "upstream_unavailable",
        "upstream_request_timeout",
        "stream_idle_timeout",
        "stream_incomplete",
        "stream_event_too_large",
        "upstream_protocol_error",
    ]
)


OPEN = Gauge("poolgate_requests_open", "Requests under way.")
SOCKETS = Gauge("poolgate_websockets_open", "Open WebSocket connections.")
REPLAYS = Counter("poolgate_replayed_responses", "Responses to repeats with the same Idempotency-Key.")
_ENDED = Counter("poolgate_requests", "Requests that ended.", ("endpoint", "status"))
_SECONDS = Histogram("poolgate_request_seconds", "From head to last byte.", ("endpoint",), SECONDS)
_FIRST = Histogram("poolgate_first_event_seconds", "From request to first event.", ("endpoint",), SECONDS)
_ATTEMPTS = Counter("poolgate_upstream_attempts", "Attempts at accounts.", ("outcome",))
_ERRORS = Counter("poolgate_refusals", "Error responses by code.", ("code",))
_CLOSED = Counter("poolgate_websocket_closes", "WebSocket connections that ended.", ("code",))
_MESSAGES = Counter("poolgate_websocket_messages", "WebSocket messages.", ("direction",))
_TOKENS = Counter("poolgate_tokens", "Tokens that requests used.", ("what",))
_TOKEN_LABELS = {unit: (unit,) for unit in TOKENS}

REPLAYS.inc(amount=0)


def observe(endpoint: str, status: int, seconds: float, entries: Sequence[Mapping[str, Any]]) -> None:
    """Count a request that ended; *entries* are its ledger rows, one for each model that admitted it."""
    _ENDED.values[endpoint, str(status)] += 1
    labels = (endpoint,)
    _SECONDS.observe(seconds, labels)
    if entries and "first_ms" in entries[-1]:
        _FIRST.observe(entries[-1]["first_ms"] / 1000, labels)
    for entry in entries:
        for attempt in entry.get("attempts", ()):
            _ATTEMPTS.values[outcome_of(attempt.get("error")),] += 1
        for unit, token_labels in _TOKEN_LABELS.items():
            if count := entry.get(unit):
                _TOKENS.values[token_labels] += count


def observe_socket(summary: ConnectionSummary) -> None:
    """Count a WebSocket connection that ended; all codes that clients invent count as one."""
    _CLOSED.inc((str(summary.code) if summary.code in CLOSE_CODES else "other",))
    _MESSAGES.inc(("received",), summary.received)
    _MESSAGES.inc(("sent",), summary.sent)


def count_error(error: GatewayError) -> None:
    """Count an error response by its code, or by `of_upstream` if an upstream returned it."""
    code = "of_upstream" if isinstance(error, UpstreamRejected) else str(error.code)
    _ERRORS.inc((code,))


def outcome_of(error: str | None) -> str:
    """Return the metric label of an attempt that ended with the code *error*, None where it succeeded."""
    if error is None:
        return "ok"
    return error if error in FAILURES else "rejected"


@bp.get("/metrics")
def metrics() -> Response:
    token = services().settings.metrics_token
    _check_token(token)
    exposition = _current() if token else _recent(int(time.monotonic() / FRESH_SECONDS))
    return Response(exposition, content_type=CONTENT_TYPE_LATEST)


@lru_cache(1)
def _recent(period: int) -> bytes:
    """Return the metrics, cached for *period*: collecting them takes milliseconds."""
    return _current()


def _current() -> bytes:
    registry = CollectorRegistry()
    registry.register(ProcessMetrics(shared_folder()))
    registry.register(StoreMetrics(services()))
    return generate_latest(registry)


def shared_folder() -> Path | None:
    """Return the folder in which the processes of this service share what they count; None: there is one."""
    folder = os.environ.get(FOLDER)
    return Path(folder) if folder else None


def _check_token(token: str) -> None:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        raise InvalidApiKey("Metrics require POOLGATE_METRICS_TOKEN as a Bearer token")

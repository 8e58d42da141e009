"""
GET /metrics, for Prometheus: the sums over all web processes of this service.

Labels have few values: routes, statuses and the constants below, never a key or a model; only attempts
and rescues have an account's name. Usage by key and model is in the ledger.
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from app.api.context import services
from app.api.store_metrics import StoreMetrics
from app.errors import GatewayError, InvalidApiKey, UpstreamRejected

bp = Blueprint("metrics", __name__)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's name; `gunicorn_settings` makes the folder
FRESH_SECONDS = 1.0  # for so long metrics are reused where no token is needed
SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
# Codes of failed attempts that are metric labels; those of upstreams are unbounded.
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


def _histogram(name: str, text: str) -> Histogram:
    return Histogram(name, text, ["endpoint"], buckets=SECONDS)


OPEN = Gauge("poolgate_requests_open", "Requests under way.", multiprocess_mode="livesum")
REPLAYS = Counter("poolgate_replayed_responses", "Responses to repeats with the same Idempotency-Key.")
# `labels` costs as much as counting, so its results are cached; its arguments have few values
_ended = cache(Counter("poolgate_requests", "Requests that ended.", ["endpoint", "status"]).labels)
_seconds = cache(_histogram("poolgate_request_seconds", "From head to last byte.").labels)
_first = cache(_histogram("poolgate_first_event_seconds", "From request to first event.").labels)
_attempts = cache(Counter("poolgate_upstream_attempts", "Attempts at accounts.", ["outcome"]).labels)
_errors = cache(Counter("poolgate_refusals", "Error responses by code.", ["code"]).labels)
_tokens = cache(Counter("poolgate_tokens", "Tokens that requests used.", ["what"]).labels)

# The first value of each metric type opens a file, which may not be possible later.
_errors("out_of_descriptors")
_seconds("/v1/chat/completions")


def observe(endpoint: str, status: int, seconds: float, entry: Mapping[str, Any]) -> None:
    """Count one request that ended; *entry* is its ledger entry, empty where it was not admitted."""
    _ended(endpoint, status).inc()
    _seconds(endpoint).observe(seconds)
    if "first_ms" in entry:
        _first(endpoint).observe(entry["first_ms"] / 1000)
    for attempt in entry.get("attempts", ()):
        _attempts(outcome_of(attempt.get("error"))).inc()
    for unit in TOKENS:
        if count := entry.get(unit):
            _tokens(unit).inc(count)


def count_error(error: GatewayError) -> None:
    """Count an error response by its code, or by `of_upstream` if an upstream returned it."""
    _errors("of_upstream" if isinstance(error, UpstreamRejected) else error.code).inc()


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
    """Return the metrics as first read in *period*: collecting them takes milliseconds."""
    return _current()


def _current() -> bytes:
    registry = REGISTRY
    if FOLDER in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    counted = generate_latest(registry)
    now = CollectorRegistry()
    now.register(StoreMetrics(services()))
    return counted + generate_latest(now)


def _check_token(token: str) -> None:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        raise InvalidApiKey("Metrics require POOLGATE_METRICS_TOKEN as a Bearer token")

"""
Traces for OpenTelemetry: a span for each request, and one for each attempt at an account.

On only where OTEL_EXPORTER_OTLP_ENDPOINT is set and `poolgate[otel]` is installed; else nobody
has a `Tracing`, and all that is left of it is a look for None. What a span tells are ids, names
and numbers: never what was asked or answered, a key, or a token.

The client's traceparent is taken over and our own is passed to the upstream.
Source: https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol

import gevent
import structlog

from app.config import package_version
from app.errors import GatewayError

log = structlog.get_logger()

HEADERS = ("traceparent", "tracestate")
EXPORTER = "opentelemetry.exporter.otlp"
LAST_SECONDS = 1.0  # that a stopping process waits for its last spans to be taken


class Headers(Protocol):
    def get(self, key: str, /) -> str | None: ...


def tracing_for(endpoint: str) -> Tracing | None:
    """Return what makes spans, or None where nobody wants them or the extra is not installed."""
    if not endpoint:
        return None
    try:
        installed = find_spec(f"{EXPORTER}.proto.http") and find_spec("opentelemetry.sdk")
    except ModuleNotFoundError:
        installed = None
    if not installed:
        log.warning("tracing_not_installed", extra="poolgate[otel]")
        return None
    return Tracing()


class Tracing:
    """The SDK's tracer and its exporter's thread are made at the first request: so after the fork."""

    def __init__(self) -> None:
        self._sdk: _Sdk | None = None

    def begin(self, headers: Headers) -> Trace:
        """Begin the span of a request that came with *headers*, within the client's trace if it has one."""
        if self._sdk is None:
            self._sdk = _Sdk()
        return Trace(self._sdk, {name: value for name in HEADERS if (value := headers.get(name))})

    def close(self) -> None:
        """Send what is left, if somebody takes it in time: this process ends."""
        if self._sdk is not None:
            with gevent.Timeout(LAST_SECONDS, False):
                self._sdk.provider.shutdown()


class Trace:
    """The span of one request, and those within it."""

    def __init__(self, sdk: _Sdk, carrier: dict[str, str]) -> None:
        self._sdk = sdk
        context = sdk.propagator.extract(carrier)
        self._span = sdk.tracer.start_span("request", context=context, kind=sdk.api.SpanKind.SERVER)
        self._context = sdk.api.set_span_in_context(self._span)

    @contextmanager
    def attempt(self, **told: Any) -> Iterator[dict[str, str]]:
        """A span around one attempt; what is given are the headers that tell its upstream of it."""
        sdk = self._sdk
        kind, attributes = sdk.api.SpanKind.CLIENT, _named(told)
        span = sdk.tracer.start_span("attempt", context=self._context, kind=kind, attributes=attributes)
        carrier: dict[str, str] = {}
        sdk.propagator.inject(carrier, sdk.api.set_span_in_context(span))
        try:
            yield carrier
        except GatewayError as error:
            self._failed(span, error.code or type(error).__name__)
            raise
        except GeneratorExit:
            span.set_attribute("poolgate.left", True)
            raise
        finally:
            span.end()

    def end(self, method: str, endpoint: str, status: int, **told: Any) -> None:
        self._span.update_name(f"{method} {endpoint}")
        self._span.set_attributes({"http.request.method": method, "http.route": endpoint})
        self._span.set_attributes({"http.response.status_code": status, **_named(told)})
        if status >= 500:
            self._failed(self._span, str(status))
        self._span.end()

    def _failed(self, span: Any, what: str) -> None:
        span.set_attribute("error.type", what)
        span.set_status(self._sdk.api.Status(self._sdk.api.StatusCode.ERROR))


class _Sdk:
    """What the extra brings: its API, a tracer, and the thread that sends spans in batches."""

    def __init__(self) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
        named = Resource.create({"service.name": "poolgate", "service.version": package_version()})
        named = named.merge(OTELResourceDetector().detect())
        self.api: Any = trace
        self.propagator: Any = TraceContextTextMapPropagator()
        self.provider: Any = TracerProvider(resource=named, shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer: Any = self.provider.get_tracer("poolgate")


def _named(told: dict[str, Any]) -> dict[str, Any]:
    return {f"poolgate.{name}": value for name, value in told.items() if value is not None}

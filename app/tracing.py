"""
OpenTelemetry traces: one span per request, and one per attempt at an account.

Tracing needs OTEL_EXPORTER_OTLP_ENDPOINT and `poolgate[otel]`; without them there is no
`Tracing` object, and its users only check for None. Spans hold ids, names and numbers: never
prompts, responses, keys or tokens.

A request's span continues the client's trace, and attempts pass theirs to the upstream.
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
SHUTDOWN_SECONDS = 1.0  # how long a stopping process waits for the collector to accept its last spans


class Headers(Protocol):
    def get(self, key: str, /) -> str | None: ...


def tracing_for(endpoint: str) -> Tracing | None:
    """Return a Tracing, or None if *endpoint* is empty or the extra is not installed."""
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
    """Starts traces. The SDK and its exporter thread start at the first request, after the fork."""

    def __init__(self) -> None:
        self._sdk: _OpenTelemetrySdk | None = None

    def begin(self, headers: Headers) -> Trace:
        """Start the span of a request, within the trace of its *headers* if they have one."""
        if self._sdk is None:
            self._sdk = _OpenTelemetrySdk()
        return Trace(self._sdk, {name: value for name in HEADERS if (value := headers.get(name))})

    def close(self) -> None:
        """Send the remaining spans, for at most SHUTDOWN_SECONDS."""
        if self._sdk is not None:
            with gevent.Timeout(SHUTDOWN_SECONDS, False):
                self._sdk.provider.shutdown()


class Trace:
    """The span of one request and those of its attempts."""

    def __init__(self, sdk: _OpenTelemetrySdk, carrier: dict[str, str]) -> None:
        self._sdk = sdk
        context = sdk.propagator.extract(carrier)
        self._span = sdk.tracer.start_span("request", context=context, kind=sdk.api.SpanKind.SERVER)
        self._context = sdk.api.set_span_in_context(self._span)

    @contextmanager
    def attempt(self, **attributes: Any) -> Iterator[dict[str, str]]:
        """Record a span around one attempt; yield the trace headers for its upstream."""
        sdk = self._sdk
        kind, attributes = sdk.api.SpanKind.CLIENT, _prefixed(attributes)
        span = sdk.tracer.start_span("attempt", context=self._context, kind=kind, attributes=attributes)
        carrier: dict[str, str] = {}
        sdk.propagator.inject(carrier, sdk.api.set_span_in_context(span))
        try:
            yield carrier
        except GatewayError as error:
            self._mark_failed(span, error.recorded_code or type(error).__name__)
            raise
        except GeneratorExit:
            span.set_attribute("poolgate.left", True)
            raise
        finally:
            span.end()

    def end(self, method: str, endpoint: str, status: int, **attributes: Any) -> None:
        """End the request's span; a *status* from 500 up marks it as failed."""
        self._span.update_name(f"{method} {endpoint}")
        self._span.set_attributes({"http.request.method": method, "http.route": endpoint})
        self._span.set_attributes({"http.response.status_code": status, **_prefixed(attributes)})
        if status >= 500:
            self._mark_failed(self._span, str(status))
        self._span.end()

    def _mark_failed(self, span: Any, error_type: str) -> None:
        span.set_attribute("error.type", error_type)
        span.set_status(self._sdk.api.Status(self._sdk.api.StatusCode.ERROR))


class _OpenTelemetrySdk:
    """The OpenTelemetry API, a tracer, and a thread that exports spans in batches."""

    def __init__(self) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override these
        resource = Resource.create({"service.name": "poolgate", "service.version": package_version()})
        resource = resource.merge(OTELResourceDetector().detect())
        self.api: Any = trace
        self.propagator: Any = TraceContextTextMapPropagator()
        self.provider: Any = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer: Any = self.provider.get_tracer("poolgate")


def _prefixed(attributes: dict[str, Any]) -> dict[str, Any]:
    return {f"poolgate.{name}": value for name, value in attributes.items() if value is not None}

"""
A collector of OpenTelemetry's spans: `python -m tests.support.otlp_collector` prints its port.

Takes OTLP/HTTP (protobuf, gzip or plain) at POST /v1/traces; GET /spans returns all spans as JSON.
Ends when its stdin closes. Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

spans: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
        self._response(200 if self.path == "/v1/traces" else 404, b"")

    def do_GET(self) -> None:
        self._response(200, json.dumps(spans).encode())

    def _response(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def _spans(request: Any) -> list[dict[str, Any]]:
    return [
        {
            "service": _values(resource.resource.attributes).get("service.name"),
            "trace_id": span.trace_id.hex(),
            "span_id": span.span_id.hex(),
            "parent_id": span.parent_span_id.hex(),
            "name": span.name,
            "kind": span.kind,
            "failed": span.status.code == 2,
            "attributes": _values(span.attributes),
        }
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()

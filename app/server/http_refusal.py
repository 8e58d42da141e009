"""An HTTP error response as bytes, for requests that are refused before they reach the application."""

from __future__ import annotations

import uuid
from http import HTTPStatus

import orjson

from app.errors import GatewayError


def response_bytes(error: GatewayError, status: int | None = None) -> bytes:
    """Return *error* as an HTTP/1.1 response, after which the connection is closed."""
    status = status or error.status
    body = orjson.dumps(error.envelope())
    headers = {
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": len(body),
        "x-request-id": uuid.uuid4(),
        **error.retry_headers(),
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body

"""
A minimal HTTP/1.1 server for loopback: it parses requests and frames responses.

Scripted servers need the bytes themselves: to cut them, delay them, or violate the protocol.

Source: https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from app.demo.errors import HttpError

MAX_LINE_BYTES = 64 * 1024
MAX_HEADERS = 200
MAX_BODY_BYTES = 256 * 1024 * 1024  # more than any gateway in front accepts
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  # without the query
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    keep_alive: bool

    def json(self) -> dict[str, Any]:
        """Return the body as an object. Raises HttpError 400 if it is not one."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise HttpError(400, "We could not parse the JSON body of your request.") from None
        if not isinstance(value, dict):
            raise HttpError(400, "The JSON body of your request must be an object.")
        return value


def read_request(reader: BinaryIO, writer: Any) -> Request | None:
    """
    Return the next request of a connection, or None if the client has closed it.

    *writer* is the socket, for the `100 Continue` that curl expects before a large body. Raises HttpError if
    the bytes are not a request; the connection is unusable then.
    """
    line = _line(reader)
    if not line:
        return None
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or not target:
        raise HttpError(400, "This is not an HTTP/1.1 request.")
    headers = _headers(reader)
    if "transfer-encoding" in headers:
        raise HttpError(411, "Send the body with a Content-Length.")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise HttpError(400, "Content-Length is not a number.")
    if int(length) > MAX_BODY_BYTES:
        raise HttpError(413, "The body is too large.")
    if headers.get("expect", "").lower() == "100-continue":
        writer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = reader.read(int(length))
    if len(body) < int(length):
        return None
    path, _, query = target.partition("?")
    keep_alive = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return Request(method, path, query, headers, body, keep_alive)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return a status line, headers and the final blank line."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def json_response(status: int, payload: Any, headers: Mapping[str, str]) -> bytes:
    """Return a complete JSON response, for one write and, if small, one packet."""
    body = orjson.dumps(payload)
    length = {"content-type": "application/json", "content-length": str(len(body))}
    return head(status, {**length, **headers}) + body


def chunk(data: bytes) -> bytes:
    """Return *data* framed as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _headers(reader: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS):
        line = _line(reader)
        if not line:
            return headers
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    raise HttpError(400, "Too many headers.")


def _line(reader: BinaryIO) -> str:
    line = reader.readline(MAX_LINE_BYTES)
    if len(line) == MAX_LINE_BYTES:
        raise HttpError(400, "A header line is too long.")
    return line.decode("latin-1").rstrip("\r\n")

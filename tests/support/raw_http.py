"""An HTTP client that sends any bytes as a request."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RawResponse:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def error(self) -> dict[str, Any]:
        """Return the error object in an envelope. Fails if there is none."""
        assert self.headers.get_content_type() == "application/json", self.body
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert {"message", "type", "code"} <= error.keys() <= {"message", "type", "code", "param"}, error
        assert isinstance(error["message"], str)
        assert error["message"]
        return error


def send(url: str, *data: bytes, method: str = "POST", then_close: bool = False) -> RawResponse:
    """
    Send *data* on a new connection and return the response.

    *then_close*: close the sending side before the response is read.
    """
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port or 80), TIMEOUT_SECONDS) as sock:
        with suppress(OSError):  # the server responded and closed before everything was sent
            for piece in data:
                sock.sendall(piece)
            if then_close:
                sock.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(sock, method=method)
        try:
            response.begin()
            return RawResponse(response.status, response.msg, response.read())
        finally:
            response.close()


def head(method: str, path: str, *lines: str, **headers: str) -> bytes:
    """Return the head of a request; *lines* are inserted unchanged."""
    named = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: gateway", *named, *lines, "", ""]).encode(
        "latin-1"
    )

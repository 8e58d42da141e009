"""HTTP as a rude client speaks it: the bytes of a request are the test's own."""

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
        """Return the envelope's inside. Fails when it is none."""
        assert self.headers.get_content_type() == "application/json", self.body
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert {"message", "type", "code"} <= error.keys() <= {"message", "type", "code", "param"}, error
        assert isinstance(error["message"], str)
        assert error["message"]
        return error


def send(url: str, *data: bytes, method: str = "POST", then_close: bool = False) -> RawResponse:
    """
    Send *data* on a connection of its own and return the response.

    *then_close*: close the sending side before the response is read.
    """
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port or 80), TIMEOUT_SECONDS) as sock:
        with suppress(OSError):  # answered and hung up before we were done
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
    """Return the head of a request; *lines* go in as they are."""
    named = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: gateway", *named, *lines, "", ""]).encode(
        "latin-1"
    )

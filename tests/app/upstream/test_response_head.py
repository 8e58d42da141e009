"""Heads of responses are read as http.client reads them."""

from __future__ import annotations

import io
from http.client import BadStatusLine, HTTPException, HTTPResponse, UnknownProtocol
from typing import Any

import pytest
from urllib3.util.response import assert_header_parsing

from app.upstream.response_head import FinalResponse

OK = b"HTTP/1.1 200 OK\r\n"
HEADS = {
    "length": OK + b"Content-Type: application/json\r\nContent-Length: 5\r\n\r\n",
    "chunked": OK + b"content-type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: Chunked\r\n\r\n",
    "chunked with a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "closing": OK + b"Connection: close\r\nContent-Length: 5\r\n\r\n",
    "no length": OK + b"X: y\r\n\r\n",
    "no fields": OK + b"\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
    "old and kept open": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
    "no reason": b"HTTP/1.1 429\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n",
    "continue": b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\n",
    "twice": OK + b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n\r\n",
    "blanks": OK + b"X:  \t y \t \r\nEmpty:\r\nContent-Length:5\r\n\r\n",
    "folded": OK + b"X: y\r\n  z\r\nContent-Length: 5\r\n\r\n",
    "bare newlines": b"HTTP/1.1 200 OK\nX: y\nContent-Length: 5\n\n",
    "other letters": OK + "X: é\r\nContent-Length: 5\r\n\r\n".encode("iso-8859-1"),
    "a tab in a value": OK + b"X: a\tb\r\nContent-Length: 5\r\n\r\n",
    "a control character": OK + b"X: a\x0bb\r\nContent-Length: 5\r\n\r\n",
    "a return in a value": OK + b"X: a\rContent-Length: 9\r\nContent-Length: 5\r\n\r\n",
    "no colon": OK + b"X y\r\nContent-Length: 5\r\n\r\n",
    "a blank in a name": OK + b"X : y\r\nContent-Length: 5\r\n\r\n",
    "no name": OK + b": y\r\nContent-Length: 5\r\n\r\n",
    "senseless length": OK + b"Content-Length: many\r\n\r\n",
    "negative length": OK + b"Content-Length: -5\r\n\r\n",
    "multipart": OK + b"Content-Type: multipart/mixed; boundary=x\r\nContent-Length: 5\r\n\r\n",
    "cut off": OK + b"X: y\r\n",
}


class Socket:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def read(kind: type[HTTPResponse], data: bytes, method: str) -> dict[str, Any]:
    """Return what is known of the response in *data*."""
    socket: Any = Socket(data)
    response: Any = kind(socket, method=method)
    response.begin()
    names = ("status", "code", "reason", "version", "chunked", "chunk_left", "length", "will_close")
    known = {name: getattr(response, name) for name in names}
    known |= {"headers": response.msg.items(), "same": response.msg is response.headers}
    try:
        assert_header_parsing(response.msg)
    except Exception as error:
        known["odd"] = type(error)
    return known


@pytest.mark.parametrize("method", ["POST", "HEAD"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_as_http_client_reads_them(head: bytes, method: str) -> None:
    assert read(FinalResponse, head + b"12345", method) == read(HTTPResponse, head + b"12345", method)


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_informational_responses_are_skipped(status: int) -> None:
    head = f"HTTP/1.1 {status} Soon\r\nLink: x\r\n\r\n".encode() + HEADS["length"]

    assert read(FinalResponse, head, "POST") == read(HTTPResponse, HEADS["length"], "POST")


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"HTTP/2 200 OK\r\n\r\n", UnknownProtocol),
        (b"hello\r\n\r\n", BadStatusLine),
        (OK + b"X: y\r\n" * 101 + b"\r\n", HTTPException),
        (OK + b"X: " + b"y" * 65537 + b"\r\n\r\n", HTTPException),
    ],
)
def test_heads_that_are_refused(head: bytes, error: type[Exception]) -> None:
    for kind in (FinalResponse, HTTPResponse):
        with pytest.raises(error):
            read(kind, head, "POST")

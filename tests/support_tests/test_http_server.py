"""Requests as bytes, and the bytes that answer them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from app.demo.errors import HttpError
from tests.support.http_server import chunk, json_response, read_request


class Writer:
    """A socket that records what is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


def read(data: bytes) -> Any:
    return read_request(BytesIO(data), Writer())


def test_a_request() -> None:
    request = read(b"POST /v1/x?a=b HTTP/1.1\r\nX-One: 1\r\nContent-Length: 2\r\n\r\n{}")
    assert (request.method, request.path, request.query) == ("POST", "/v1/x", "a=b")
    assert request.headers == {"x-one": "1", "content-length": "2"}
    assert request.json() == {}
    assert request.keep_alive


def test_one_request_is_read_and_no_byte_more() -> None:
    reader = BytesIO(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
    requests = [read_request(reader, Writer()) for _ in range(3)]
    assert [request and request.path for request in requests] == ["/1", "/2", None]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"])
def test_connection_close_is_honored(data: bytes) -> None:
    assert not read(data).keep_alive


def test_a_body_cut_short_is_no_request() -> None:
    assert read(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}") is None


def test_a_client_that_expects_100_continue_gets_it() -> None:
    writer = Writer()
    data = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n{}"
    assert read_request(BytesIO(data), writer) is not None
    assert writer.sent == b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: four\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -4\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n", 400),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        read(data)
    assert caught.value.status == status


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    request = read(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    with pytest.raises(HttpError):
        request.json()


def test_a_chunk_has_its_size() -> None:
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"


def test_a_complete_response_has_its_length() -> None:
    head, _, body = json_response(404, {"a": 1}, {"x": "y"}).partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 404 Not Found",
        b"content-type: application/json",
        b"content-length: 7",
        b"x: y",
    ]
    assert body == b'{"a":1}'

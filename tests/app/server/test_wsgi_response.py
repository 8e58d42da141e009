"""Headers are checked together, and chunks sent by one call, with the result of gunicorn's own calls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName

from app.server import wsgi_response
from app.server.wsgi_response import MAX_NAMES, Response

USUAL = [("Content-Type", "application/json"), ("x-request-id", "a"), ("Content-Length", "12")]


@pytest.fixture(autouse=True)
def nothing_sent_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi_response, "_checked", set())


def processed(headers: list[Any], kind: Any = Response) -> tuple[Any, ...]:
    """Return what a response of *kind* stores of *headers*."""
    response = kind(SimpleNamespace(), None, Config())
    response.process_headers(headers)
    return response.headers, response.response_length, response.upgrade


@pytest.mark.parametrize(
    "headers",
    [
        USUAL,
        [*USUAL, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
        [*USUAL, ("x-padded", " \ta ")],
        [*USUAL, ("Connection", "close"), ("Transfer-Encoding", "chunked")],
        [("connection", "upgrade"), ("upgrade", "websocket")],
        [("content-length", "3")],
        [("CONTENT-LENGTH", "3"), ("x", "ÿ")],
        [],
    ],
)
def test_the_same_headers_are_sent(headers: list[tuple[str, str]]) -> None:
    expected = processed(headers, wsgi.Response)

    assert [processed(headers) for _ in range(3)] == [expected] * 3


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (("x-request-id", "a\r\nx-injected: b"), InvalidResponseHeader),
        (("x-request-id", "a\n"), InvalidResponseHeader),
        (("x-request-id", "\u20ac"), InvalidResponseHeader),
        (("x-request-id", 1), TypeError),
        (("x-request-id", b"a"), TypeError),
        (("x request", "a"), InvalidResponseHeaderName),
        (("x\r\n", "a"), InvalidResponseHeaderName),
        ((1, "a"), TypeError),
    ],
)
def test_an_invalid_header_is_refused_after_valid_ones(header: Any, error: type[Exception]) -> None:
    processed(USUAL)

    for _ in range(2):
        with pytest.raises(error):
            processed([*USUAL, header])


def test_names_that_upstreams_invent_are_not_all_remembered() -> None:
    processed([(f"x-{number}", "a") for number in range(MAX_NAMES + 10)])

    assert len(wsgi_response._checked) == MAX_NAMES
    assert processed(USUAL) == processed(USUAL, wsgi.Response)


class _Socket:
    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


def written(pieces: list[Any], headers: list[tuple[str, str]], kind: Any, **request: Any) -> bytes:
    """Return what a response of *kind* sends after its head."""
    sock = _Socket()
    given: dict[str, Any] = {"method": "POST", "version": (1, 1), "should_close": lambda: False} | request
    response = kind(SimpleNamespace(**given), sock, Config())
    response.start_response("200 OK", headers)
    for piece in pieces:
        response.write(piece)
    return sock.sent.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("headers", [[], [("Content-Length", "5")]])
@pytest.mark.parametrize("request_of", [{}, {"method": "HEAD"}, {"version": (1, 0)}])
def test_the_same_body_is_sent(headers: list[tuple[str, str]], request_of: dict[str, Any]) -> None:
    pieces = [b"ab", b"", b"c" * 300, b"d"]

    assert written(pieces, headers, Response, **request_of) == written(
        pieces, headers, wsgi.Response, **request_of
    )


def test_the_head_is_sent_once_and_not_retained() -> None:
    """A stream lasts much longer."""
    sock = _Socket()
    request = SimpleNamespace(method="POST", version=(1, 1), should_close=lambda: False)
    response = Response(request, sock, Config())
    response.start_response("200 OK", [("x-request-id", "a")])
    response.write(b"ab")
    response.write(b"cd")
    response.close()

    head, _, body = sock.sent.partition(b"\r\n\r\n")
    assert head.count(b"x-request-id: a") == 1
    assert body == b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"
    assert response.headers == []


def test_a_piece_that_is_no_bytes_is_refused() -> None:
    with pytest.raises(TypeError):
        written([b"a", "b"], [], Response)

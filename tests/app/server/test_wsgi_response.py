"""Headers are checked together, with the result of gunicorn's checks one by one."""

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

"""What is no HTTP is refused in the envelope, and not repeated."""

from __future__ import annotations

import http.client
import json
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker
from structlog.testing import capture_logs

from app.server.gunicorn_worker import Log, Worker
from tests.support.garbage import garbage_of

SECRET = "sk-pg-default-secret"


def handled(error: Exception) -> tuple[http.client.HTTPResponse, dict[str, Any], list[Any]]:
    """Return the response, its envelope's inside, and what was logged."""
    server_side, client_side = socket.socketpair()
    with server_side, client_side, capture_logs() as lines:
        client_side.sendall(b"the rest of what was no request")
        client_side.shutdown(socket.SHUT_WR)
        Worker.handle_error(Worker.__new__(Worker), None, server_side, ("127.0.0.1", 1), error)
        response = http.client.HTTPResponse(client_side)
        response.begin()
        inside: dict[str, Any] = json.loads(response.read())["error"]
        response.close()
    return response, inside, lines


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidHeader(SECRET), 400),
        (errors.InvalidRequestLine(SECRET), 400),
        (errors.LimitRequestHeaders(SECRET), 431),
        (errors.LimitRequestLine(9000, 8190), 414),
        (errors.ExpectationFailed(SECRET), 417),
    ],
)
def test_what_cannot_be_read(error: Exception, status: int) -> None:
    response, inside, lines = handled(error)

    assert (response.status, inside["type"]) == (status, "invalid_request_error")
    assert response.headers["connection"] == "close"
    assert response.headers["x-should-retry"] == "false"
    assert response.headers["x-request-id"]
    assert [line["event"] for line in lines] == ["malformed_request"]
    assert SECRET not in f"{inside} {lines}"


def test_an_unknown_transfer_coding() -> None:
    response, inside, _ = handled(errors.UnsupportedTransferCoding("gzip"))

    assert (response.status, inside["code"]) == (501, "not_implemented")


def test_a_failure_of_our_own() -> None:
    response, inside, lines = handled(RuntimeError(SECRET))

    assert (response.status, inside["code"]) == (500, "server_error")
    assert [line["event"] for line in lines] == ["unhandled_error"]
    assert SECRET not in str(inside)


def test_a_client_that_has_left() -> None:
    server_side, client_side = socket.socketpair()
    client_side.close()
    with server_side:
        Worker.handle_error(
            Worker.__new__(Worker), None, server_side, ("127.0.0.1", 1), errors.InvalidHeader("x")
        )


def test_gunicorn_logs_no_request() -> None:
    """Gunicorn's access log would read every request, without any output."""
    Log.__new__(Log).access(None, None, None, None)


class RequestWithBody:
    def __init__(self) -> None:
        self.body = SimpleNamespace(reader=None)
        self._expected_100_continue = False
        self.must_close = False

    def should_close(self) -> bool:
        return self.must_close


def test_a_request_with_a_body_needs_no_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """It decides whether its connection ends, without being in a reference cycle."""
    monkeypatch.setattr(GeventWorker, "handle_request", lambda *_: None)
    connection: Any = SimpleNamespace(hold=lambda: None, release=lambda: None)

    with garbage_of(RequestWithBody) as garbage:
        request = RequestWithBody()
        Worker.handle_request(Worker.__new__(Worker), None, request, connection, None)
        assert not request.should_close()
        del request

    assert garbage == []

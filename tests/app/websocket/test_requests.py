"""A message as a request of the application."""

from __future__ import annotations

from typing import Any

from app.websocket.requests import ApplicationResponse, environ_of
from app.websocket.response import VARIABLE, SocketResponse

HANDSHAKE: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/v1/responses",
    "REMOTE_ADDR": "127.0.0.1",
    "HTTP_AUTHORIZATION": "Bearer sk-pg-x",
    "HTTP_SESSION_ID": "s",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "k",
    "HTTP_CONTENT_ENCODING": "gzip",
    "HTTP_IDEMPOTENCY_KEY": "i",
    "HTTP_X_CODEX_WINDOW_ID": "old",
    "gunicorn.socket": object(),
    "werkzeug.request": object(),
}


def test_what_a_request_has_of_its_handshake() -> None:
    response = SocketResponse(bytes, print, "")

    environ = environ_of(HANDSHAKE, {"x-codex-window-id": "new"}, b"{}", response)

    assert environ.pop("wsgi.input").read() == b"{}"
    assert environ == {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/v1/responses",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": "Bearer sk-pg-x",
        "HTTP_SESSION_ID": "s",
        "HTTP_X_CODEX_WINDOW_ID": "new",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "2",
        VARIABLE: response,
    }


def test_a_reply() -> None:
    closed = []

    class Chunks(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    def application(environ: dict[str, Any], start_response: Any) -> Chunks:
        start_response("429 Too Many Requests", [("Retry-After", "3")])
        return Chunks([b"a"])

    reply = ApplicationResponse(application, {})
    assert (reply.head.status, dict(reply.head.headers), list(reply.chunks)) == (
        429,
        {"retry-after": "3"},
        [b"a"],
    )
    reply.close()
    assert closed == [True]

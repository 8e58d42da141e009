"""Requests that this process sends to its own gateway."""

from __future__ import annotations

import io

from app.server.internal_requests import KeyReference, environ_of, key_of

KEY = KeyReference("default", "key_1")
CAUSE = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/admin/p/default/playground",
    "QUERY_STRING": "key=ann",
    "REMOTE_ADDR": "192.0.2.1",
    "HTTP_COOKIE": "poolgate=secret",
    "HTTP_AUTHORIZATION": "Bearer pgadm-x",
    "HTTP_IDEMPOTENCY_KEY": "1",
    "HTTP_X_REQUEST_ID": "mine",
    "gunicorn.socket": "the socket",
    "wsgi.url_scheme": "https",
    "wsgi.input": io.BytesIO(b"of the cause"),
    "werkzeug.request": "the cause",
}


def test_what_is_sent() -> None:
    environ = environ_of(CAUSE, KEY, "/v1/responses", b"{}")

    assert key_of(environ) == KEY
    assert environ["REQUEST_METHOD"] == "POST"
    assert environ["PATH_INFO"] == "/v1/responses"
    assert environ["QUERY_STRING"] == ""
    assert environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])) == b"{}"


def test_its_client_is_that_of_the_cause() -> None:
    """A client that leaves is noticed; its address is in the log."""
    environ = environ_of(CAUSE, KEY, "/v1/responses", b"{}")

    assert environ["gunicorn.socket"] == "the socket"
    assert environ["REMOTE_ADDR"] == "192.0.2.1"
    assert environ["wsgi.url_scheme"] == "https"


def test_nothing_of_a_session_is_passed_on() -> None:
    environ = environ_of(CAUSE, KEY, "/v1/responses", b"{}")

    headers = {name for name in environ if name.startswith("HTTP_")}
    assert headers == {"HTTP_USER_AGENT"}
    assert not [name for name in environ if name.startswith(("werkzeug.", "flask."))]


def test_a_request_of_a_client_has_no_key() -> None:
    assert key_of(CAUSE) is None

"""The Flask application: paths alone are matched, and there are no sessions."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Response, session
from werkzeug.test import create_environ

from app.api.flask_app import GatewayApplication, GatewayResponse
from app.api.headers import GatewayRequest


@pytest.fixture
def app() -> GatewayApplication:
    app = GatewayApplication("gateway", static_folder=None)
    app.add_url_rule("/where/<name>", view_func=lambda name: name, endpoint="where")
    return app


@pytest.mark.parametrize("host", ["gateway", "other.example:8080", "127.0.0.1", "[::1]:1"])
def test_any_host(app: GatewayApplication, host: str) -> None:
    assert app.test_client().get("/where/x", headers={"Host": host}).text == "x"


def test_paths_and_methods(app: GatewayApplication) -> None:
    client = app.test_client()

    assert client.get("/nowhere").status_code == 404
    response = client.post("/where/x")
    assert response.status_code == 405
    assert "GET" in (response.allow or ())


def test_a_websocket_is_not_a_plain_request(app: GatewayApplication) -> None:
    """A route of plain requests does not serve an upgrade."""
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}

    assert app.test_client().get("/where/x", headers=upgrade).status_code == 400


def test_no_sessions(app: GatewayApplication) -> None:
    """Nothing can be stored in one, and no cookie is set."""

    def store() -> str:
        session["name"] = "value"
        return ""

    app.add_url_rule("/store", view_func=store)
    app.testing = True

    with pytest.raises(RuntimeError, match="session is unavailable"):
        app.test_client().get("/store")
    assert "Set-Cookie" not in app.test_client().get("/where/x").headers


def test_its_request(app: GatewayApplication) -> None:
    with app.test_request_context("/where/x") as context:
        assert type(context.request) is GatewayRequest


@pytest.mark.parametrize(
    "options",
    [
        {"response": "text"},
        {"response": ["é", "x"], "headers": {"Set-Cookie": "a=1"}},
        {"response": iter([b"a", b"b"])},
        {"response": "", "headers": {"content-length": "5"}},
        {"response": "x", "status": 201, "headers": {"Location": "/é", "Content-Location": "/é"}},
        {"status": 204},
        {"status": 304, "headers": {"Content-Type": "text/plain", "ETag": "x"}},
        {"status": 302, "headers": {"Location": "/where/é"}},
        {"response": "no", "status": 404},
    ],
)
def test_its_response(app: GatewayApplication, options: dict[str, Any]) -> None:
    """Its headers are those that Flask sends."""
    environ = create_environ("/")
    assert app.response_class is GatewayResponse
    response, plain = GatewayResponse(**options), Response(**options)

    assert response.get_wsgi_headers(environ).to_wsgi_list() == plain.get_wsgi_headers(environ).to_wsgi_list()

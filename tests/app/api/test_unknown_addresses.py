"""Addresses that are probably mistakes get an error that names the right one, and never a redirect."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app import create_app
from tests.support.api import FakeServices


@pytest.fixture
def client() -> FlaskClient:
    return create_app(FakeServices()).test_client()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "path", "meant"),
    [
        ("POST", "/chat/completions", "/v1/chat/completions"),
        ("POST", "/chat/completions/", "/v1/chat/completions"),
        ("POST", "/responses", "/v1/responses"),
        ("GET", "/models", "/v1/models"),
        ("GET", "/models/gpt-5", "/v1/models/gpt-5"),
        ("POST", "/embeddings", "/v1/embeddings"),
    ],
)
def test_without_v1(client: FlaskClient, method: str, path: str, meant: str) -> None:
    response = client.open(path, method=method, json={} if method == "POST" else None)

    assert response.status_code == 404
    assert response.json is not None
    assert response.json["error"] == {
        "message": f"There is nothing at this address. Did you mean {meant}? The base URL ends in /v1",
        "type": "invalid_request_error",
        "code": "not_found",
    }


def test_v1_twice(client: FlaskClient) -> None:
    response = client.post("/v1/v1/chat/completions", json={})

    assert response.status_code == 404
    assert "Did you mean /v1/chat/completions? The base URL has /v1 once" in response.text


@pytest.mark.parametrize("path", ["/nowhere", "/v1/nowhere", "/v2/models", "/v1", "/%00", "/x" * 2000])
def test_anything_else(client: FlaskClient, path: str) -> None:
    """It names where to look."""
    response = client.get(path)

    assert response.status_code == 404
    assert "There is nothing at this address; the API is at /v1, the guide at /docs" in response.text


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/chat/completions"])
def test_a_post_is_never_redirected(client: FlaskClient, path: str) -> None:
    response = client.post(path, json={}, headers={"Accept": "text/html"})

    assert response.status_code in (404, 405)
    assert "Location" not in response.headers


def test_another_method(client: FlaskClient) -> None:
    response = client.get("/v1/chat/completions")

    assert (response.status_code, "This address takes POST, not GET" in response.text) == (405, True)


def test_the_icon_that_browsers_request(client: FlaskClient) -> None:
    response = client.get("/favicon.ico")

    assert (response.status_code, response.headers["Location"]) == (301, "/docs/static/icon.svg")

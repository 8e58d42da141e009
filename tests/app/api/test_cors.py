"""Which web pages may read which answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from app import create_app
from tests.support.api import BEARER, FakeServices

PAGE = "https://app.example.com"
ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/nothing",
    "/openai/v1/chat/completions",
    "/api/v1/openai/chat/completions",
)
OTHERS = (
    "/health",
    "/health/ready",
    "/metrics",
    "/docs",
    "/api/codex/usage",
    "/backend-api/codex/responses",
    "/",
)
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os",
}
ALLOWED = "Access-Control-Allow-Origin"


def client(*origins: str) -> FlaskClient:
    services = FakeServices()
    services.settings = replace(services.settings, cors_origins=origins)
    return create_app(services).test_client()  # type: ignore[arg-type]


class TestPreflight:
    @pytest.mark.parametrize("path", ENDPOINTS)
    def test_without_a_key(self, path: str) -> None:
        """Any page may send any header: a preflight never carries a key."""
        response = client("*").options(path, headers=PREFLIGHT)

        assert response.status_code == 204
        assert response.headers[ALLOWED] == "*"
        assert response.headers["Access-Control-Allow-Headers"] == PREFLIGHT["Access-Control-Request-Headers"]
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert response.headers["x-request-id"]

    @pytest.mark.parametrize("path", OTHERS)
    def test_other_paths(self, path: str) -> None:
        response = client("*").options(path, headers=PREFLIGHT)

        assert response.status_code != 204
        assert not [name for name in response.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118

    @pytest.mark.parametrize("missing", ["Origin", "Access-Control-Request-Method"])
    def test_other_requests(self, missing: str) -> None:
        """An OPTIONS request that is not a preflight still needs a key."""
        headers = {name: value for name, value in PREFLIGHT.items() if name != missing}

        assert client("*").options("/v1/chat/completions", headers=headers).status_code == 401


class TestResponses:
    @pytest.mark.parametrize("path", ENDPOINTS)
    @pytest.mark.parametrize("headers", [{}, BEARER])
    def test_errors(self, path: str, headers: dict[str, str]) -> None:
        response = client("*").post(path, headers={"Origin": PAGE, **headers}, json={})

        assert response.status_code >= 400
        assert response.headers[ALLOWED] == "*"
        exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"x-request-id", "x-poolgate-request-id", "x-ratelimit-remaining-tokens"} <= set(exposed)

    @pytest.mark.parametrize("path", OTHERS)
    def test_other_paths(self, path: str) -> None:
        assert ALLOWED not in client("*").get(path, headers={"Origin": PAGE, **BEARER}).headers

    def test_no_page(self) -> None:
        """A request without an origin is answered as usual."""
        assert ALLOWED not in client("*").get("/v1/models", headers=BEARER).headers


class TestSetting:
    @pytest.mark.parametrize(
        ("origin", "allowed"), [(PAGE, PAGE), ("https://evil.test", None), ("null", None)]
    )
    def test_list(self, origin: str, allowed: str | None) -> None:
        """Only pages of listed origins may read; the response names the origin, so caches must vary by it."""
        listed = client("http://localhost:3000", PAGE)
        preflight = listed.options("/v1/models", headers={**PREFLIGHT, "Origin": origin})
        response = listed.get("/v1/models", headers={**BEARER, "Origin": origin})

        assert preflight.headers.get(ALLOWED) == response.headers.get(ALLOWED) == allowed
        assert preflight.status_code == (204 if allowed else 401)
        assert response.status_code == 200
        assert "Origin" in response.headers.getlist("Vary")

    def test_off(self) -> None:
        disabled = client()

        assert disabled.options("/v1/models", headers=PREFLIGHT).status_code == 401
        assert ALLOWED not in disabled.get("/v1/models", headers={**BEARER, "Origin": PAGE}).headers

"""The ways in which an API key is sent."""

from __future__ import annotations

import base64

import pytest
from flask import Flask

from app.api.auth import presented_key
from app.server.internal_requests import VARIABLE, KeyReference
from tests.support.api import SECRET, FakeServices

APP = Flask(__name__)
KEY, OTHER = "sk-pg-default-x", "sk-pg-default-y"
ENDPOINTS = (
    "/v1/models",
    "/openai/v1/chat/completions",
    "/api/v1/openai/chat/completions",
    "/api/codex/usage",
)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"Authorization": f"Bearer {KEY}"}, KEY),
        ({"Authorization": f"bearer {KEY} "}, KEY),
        ({"Authorization": basic("", KEY)}, KEY),
        ({"Authorization": basic(KEY, "")}, KEY),
        ({"Authorization": basic("user", "other")}, ""),
        ({"Authorization": f"Digest {KEY}"}, ""),
        ({"x-api-key": f" {KEY} "}, KEY),
        ({"api-key": KEY}, KEY),
        ({"x-bf-vk": KEY}, KEY),
        ({"x-api-key": KEY, "api-key": OTHER}, KEY),
        ({"x-bf-vk": KEY, "api-key": OTHER}, OTHER),
        ({"Authorization": f"Bearer {KEY}", "x-api-key": OTHER}, KEY),
        ({"Authorization": basic("user", KEY), "api-key": OTHER}, KEY),
        ({"Authorization": "Bearer unused", "api-key": KEY}, KEY),
        ({"Authorization": basic("user", "other"), "api-key": KEY}, KEY),
        ({"x-api-key": "of-a-proxy", "api-key": KEY}, KEY),
        ({"Authorization": "Bearer demo", "x-api-key": "of-a-proxy"}, "demo"),
        ({}, ""),
    ],
)
def test_presented_key(headers: dict[str, str], key: str) -> None:
    with APP.test_request_context(headers=headers):
        assert presented_key() == key


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": SECRET},
        {"api-key": f" {SECRET}"},
        {"api-key": SECRET, "Authorization": "Bearer unused"},
        {"x-api-key": SECRET, "Authorization": basic("of", "a-proxy")},
    ],
)
def test_own_headers_on_every_endpoint(path: str, headers: dict[str, str]) -> None:
    """A key in one of the other headers is accepted, whatever `Authorization` contains."""
    client = FakeServices().client()

    response = client.get(path, headers=headers) if "chat" not in path else client.post(path, headers=headers)

    assert response.status_code != 401, response.data


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("headers", [{"x-api-key": KEY}, {"api-key": "x"}, {"x-api-key": ""}, {}])
def test_other_values_are_refused(path: str, headers: dict[str, str]) -> None:
    client = FakeServices().client()

    response = client.get(path, headers=headers) if "chat" not in path else client.post(path, headers=headers)

    assert response.status_code == 401


def test_a_key_that_this_process_names() -> None:
    """Only the WSGI environment can name it; a client's header of the same name has no effect."""
    services = FakeServices()
    services.api_keys.authorize = lambda pool, key_id: services.key if key_id == "key_1" else None
    client = services.client()

    named = client.get("/v1/models", environ_base={VARIABLE: KeyReference("default", "key_1")})
    sent = client.get("/v1/models", headers={VARIABLE: "default,key_1", "poolgate_key": "key_1"})

    assert (named.status_code, sent.status_code) == (200, 401)

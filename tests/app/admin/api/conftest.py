"""A caller of the admin API with a token, over a real store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.admin import create_admin_app
from app.stores.records.operators import NewAdminToken
from app.web_wiring import WebServices
from tests.support.admin import api_services, gateway_of

Call = Callable[..., TestResponse]


@pytest.fixture
def services(redis_client: Any, redis_url: str, issuer: Any, tmp_path: Path) -> WebServices:
    return api_services(redis_url, tmp_path, issuer.url)


@pytest.fixture
def app(services: WebServices) -> Flask:
    return create_admin_app(services, gateway_of(services))


@pytest.fixture
def call(app: Flask, services: WebServices) -> Call:
    """`call("POST", "/keys", {"name": "ann"})`, as the token `ci`."""
    tokens = services.operator_stores.admin_tokens
    _, secret = tokens.create(NewAdminToken("ci", "ann"))
    tokens.authenticate(secret)  # its use, which is stored once a minute, changes nothing in a test
    client = app.test_client()

    def send(method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {secret}"}
        json_args = {} if body is None else {"json": body}
        return client.open(f"/admin/api{path}", method=method, headers=headers, **json_args, **more)

    return send


@pytest.fixture
def refused(call: Call) -> Callable[..., tuple[int, str | None]]:
    """Send what must be refused; return the status and the field that is named."""

    def send(*args: Any, **more: Any) -> tuple[int, str | None]:
        response = call(*args, **more)
        error = response.json["error"]
        assert error["message"], error
        assert set(error) <= {"message", "type", "code", "param"}
        return response.status_code, error.get("param")

    return send

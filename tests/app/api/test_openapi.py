"""The document describes what the service accepts: every route, and every field of every body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.api.openapi import build_document, routes
from app.config import Settings
from app.wiring import build
from schemas.chat import CHAT_REQUEST
from schemas.json_schema import schema_of
from schemas.passthrough import EmbeddingsRequest


@pytest.fixture
def app(tmp_path: Any) -> Iterator[Flask]:
    """An application whose Redis is never queried."""
    app = create_app(build(Settings(home=tmp_path, redis_url="redis://127.0.0.1:1/0")))
    with app.test_request_context():
        yield app


def test_every_route_is_in_it(app: Flask) -> None:
    described = {
        (path, method.upper())
        for path, operations in build_document()["paths"].items()
        for method in operations
    }

    there = {
        (rule.rule.replace("<path:", "{").replace(">", "}"), method)
        for rule in routes()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == there
    assert ("/v1/models/{model}", "GET") in described
    assert ("/backend-api/codex/v1/chat/completions", "POST") in described


def test_every_operation_has_a_name_of_its_own(app: Flask) -> None:
    operations = [one for path in build_document()["paths"].values() for one in path.values()]

    assert len({one["operationId"] for one in operations}) == len(operations)


def test_every_operation_has_a_description(app: Flask) -> None:
    for path, operations in build_document()["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            assert ("requestBody" in operation) == (method == "post"), path


def test_requests_to_models_may_have_an_idempotency_key(app: Flask) -> None:
    for path, operations in build_document()["paths"].items():
        for operation in operations.values():
            names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "header"]
            assert names == (["Idempotency-Key"] if "requestBody" in operation else []), path


def test_the_page_names_every_path(app: Flask) -> None:
    page = app.test_client().get("/docs/api").text

    assert all(path in page for path in build_document()["paths"])
    assert "://" not in page.replace("http://www.w3.org", "")  # nothing is fetched from elsewhere


class TestSchemas:
    def test_types_and_what_is_required(self) -> None:
        described = schema_of(EmbeddingsRequest())

        assert described["required"] == ["input", "model"]
        assert described["properties"]["model"] == {"type": ["string"], "minLength": 1, "maxLength": 256}
        assert described["properties"]["stream"] == {"type": ["boolean", "null"]}

    def test_every_field_that_is_checked(self) -> None:
        assert schema_of(CHAT_REQUEST)["properties"].keys() == CHAT_REQUEST.load_fields.keys()

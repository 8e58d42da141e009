"""The document describes what the service accepts: every route, and every field of every body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import create_app
from app.api import operation_examples
from app.api.openapi import BODIES, FIELDS, build_document, routes
from app.api.operation_texts import ALIASES, DESCRIPTIONS, GROUPS, SUMMARIES, TAGS
from app.config import Settings
from app.web_wiring import build_web
from schemas.chat import CHAT_REQUEST
from schemas.json_schema import schema_of
from schemas.passthrough import EmbeddingsRequest


@pytest.fixture
def app(tmp_path: Any) -> Iterator[Flask]:
    """An application whose Redis is never queried."""
    app = create_app(build_web(Settings(home=tmp_path, redis_url="redis://127.0.0.1:1/0")))
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


def test_it_is_a_valid_document(app: Flask) -> None:
    """Source: https://spec.openapis.org/oas/3.1/schema/2022-10-07"""
    OpenAPIV31SpecValidator(build_document()).validate()


def test_common_operations_come_first_and_aliases_last(app: Flask) -> None:
    document = build_document()
    paths = list(document["paths"])

    assert paths[:3] == ["/v1/chat/completions", "/v1/responses", "/v1/responses/compact"]
    assert [tag["name"] for tag in document["tags"]] == [group.name for group in GROUPS]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert (operation["tags"] == [ALIASES]) == path.startswith("/backend-api/codex/v1/")
            if operation["tags"] == [ALIASES]:
                assert operation["x-alias-of"] in paths


def test_texts_are_those_of_operations(app: Flask) -> None:
    endpoints = {rule.endpoint.removeprefix("codex_v1_") for rule in routes()}

    assert endpoints == set(SUMMARIES) == set(TAGS)
    assert set(DESCRIPTIONS) <= endpoints
    assert set(operation_examples.RESPONSES) == endpoints
    assert set(BODIES) == set(FIELDS) == set(operation_examples.REQUESTS)


def test_examples_are_valid(app: Flask) -> None:
    document = build_document()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            contents = [operation["requestBody"]["content"]] if "requestBody" in operation else []
            contents += [answer["content"] for answer in operation["responses"].values()]
            for described in (one for content in contents for one in content.values() if "example" in one):
                schema = {**described["schema"], "components": document["components"]}
                assert jsonschema_rs.is_valid(schema, described["example"]), path


@pytest.mark.parametrize("endpoint", BODIES)
def test_an_example_passes_the_checks_of_its_request(endpoint: str) -> None:
    assert BODIES[endpoint].load(operation_examples.REQUESTS[endpoint])


@pytest.mark.parametrize("endpoint", BODIES)
def test_every_field_is_explained(endpoint: str, app: Flask) -> None:
    checked = set(BODIES[endpoint].load_fields)
    if endpoint.endswith("compact"):
        checked = set(FIELDS[endpoint])  # others are dropped

    assert checked <= set(FIELDS[endpoint])
    for name in checked - {"temperature", "top_p"}:
        assert FIELDS[endpoint][name].get("description"), name


class TestPage:
    def test_it_names_every_path(self, app: Flask) -> None:
        page = app.test_client().get("/docs/api").text.replace("<wbr>", "")

        assert all(path in page for path in build_document()["paths"])

    def test_nothing_is_fetched_from_elsewhere(self, app: Flask) -> None:
        response = app.test_client().get("/docs/api")

        assert not re.search(r'(src|href)="(https?:)?//', response.text)
        assert "unsafe-inline" not in response.headers["Content-Security-Policy"]
        assert not re.search(r"<script(?! src=)|<style| style=| on\w+=", response.text)

    def test_its_examples_have_the_address_of_the_gateway(self, app: Flask) -> None:
        page = app.test_client().get("/docs/api", base_url="https://gate.test").text

        assert "curl -sS https://gate.test/v1/chat/completions" in page
        assert "gateway.example.com" not in page

    def test_nested_fields_are_on_it(self, app: Flask) -> None:
        page = app.test_client().get("/docs/api").text

        assert "string | array of (text part | image part | file part)" in page
        assert '<code class="name">image_url</code>' in page


class TestSchemas:
    def test_types_and_what_is_required(self) -> None:
        described = schema_of(EmbeddingsRequest())

        assert described["required"] == ["input", "model"]
        assert described["properties"]["model"] == {"type": ["string"], "minLength": 1, "maxLength": 256}
        assert described["properties"]["stream"] == {"type": ["boolean", "null"]}

    def test_every_field_that_is_checked(self) -> None:
        assert schema_of(CHAT_REQUEST)["properties"].keys() == CHAT_REQUEST.load_fields.keys()

"""
Building blocks of the two OpenAPI documents: errors, parameters, bodies, and paths.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from marshmallow import Schema

from schemas.json_schema import schema_of

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": ["string", "null"]},
                "param": {"type": "string"},
                "resets_at": {"type": "integer"},
            },
        }
    },
}

Parameter = TypedDict(
    "Parameter", {"name": str, "in": str, "required": bool, "schema": Mapping[str, Any]}
)  # `in` is a keyword


class MediaType(TypedDict):
    schema: Mapping[str, Any]


class RequestBody(TypedDict):
    """The media types by their names."""

    required: bool
    content: dict[str, MediaType]


class ResponseObject(TypedDict):
    """The media types by their names."""

    description: str
    content: dict[str, MediaType]


class Operation(TypedDict, total=False):
    """A method of a path; *responses* are by status."""

    summary: str
    operationId: str
    security: list[dict[str, list[str]]]
    parameters: list[Parameter]
    requestBody: RequestBody
    responses: dict[str, ResponseObject]


class Document(TypedDict):
    """An OpenAPI document; *paths* are operations by path and method."""

    openapi: str
    info: dict[str, str]
    paths: dict[str, dict[str, Operation]]
    components: dict[str, Mapping[str, Any]]


def document(
    title: str, version: str, paths: dict[str, dict[str, Operation]], security: dict[str, dict[str, str]]
) -> Document:
    """Return an OpenAPI document; *version* is the product's."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": {"Error": ERROR}, "securitySchemes": security},
    }


def address(rule: str) -> str:
    """Return a Flask rule as an OpenAPI path: `/models/<path:model>` becomes `/models/{model}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def in_path(names: Iterable[str]) -> list[Parameter]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in sorted(names)
    ]


def in_query(schema: Schema) -> list[Parameter]:
    described = schema_of(schema)
    return [
        {"name": name, "in": "query", "required": name in described["required"], "schema": field}
        for name, field in described["properties"].items()
    ]


def body_of(schema: Schema, kind: str = "application/json") -> RequestBody:
    described = schema_of(schema)
    return {"required": bool(described["required"]), "content": {kind: {"schema": described}}}


def json_of(schema: dict[str, Any]) -> ResponseObject:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def failure() -> ResponseObject:
    return json_of({"$ref": "#/components/schemas/Error"})


def first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]

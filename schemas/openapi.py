"""
Building blocks of the two OpenAPI documents: errors, parameters, bodies, and paths.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

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

Operation = dict[str, Any]


def document(
    title: str, version: str, paths: dict[str, dict[str, Operation]], security: dict[str, dict[str, str]]
) -> dict[str, Any]:
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


def in_path(names: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in sorted(names)
    ]


def in_query(schema: Schema) -> list[dict[str, Any]]:
    described = schema_of(schema)
    return [
        {"name": name, "in": "query", "required": name in described["required"], "schema": field}
        for name, field in described["properties"].items()
    ]


def body_of(schema: Schema, kind: str = "application/json") -> dict[str, Any]:
    described = schema_of(schema)
    return {"required": bool(described["required"]), "content": {kind: {"schema": described}}}


def json_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def failure() -> dict[str, Any]:
    return json_of({"$ref": "#/components/schemas/Error"})


def first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]

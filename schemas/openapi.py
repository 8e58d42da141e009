"""
What the documents of the two APIs share: errors, parameters, and how a route's address is written.

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
    """Return the OpenAPI document of an API; *version* is that of the product."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": {"Error": ERROR}, "securitySchemes": security},
    }


def address(rule: str) -> str:
    """Return a route as the document writes it: `/models/<path:model>` is `/models/{model}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def in_path(names: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in sorted(names)
    ]


def in_query(schema: Schema) -> list[dict[str, Any]]:
    told = schema_of(schema)
    return [
        {"name": name, "in": "query", "required": name in told["required"], "schema": field}
        for name, field in told["properties"].items()
    ]


def body_of(schema: Schema, kind: str = "application/json") -> dict[str, Any]:
    told = schema_of(schema)
    return {"required": bool(told["required"]), "content": {kind: {"schema": told}}}


def json_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def failure() -> dict[str, Any]:
    return json_of({"$ref": "#/components/schemas/Error"})


def first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]

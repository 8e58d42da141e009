"""
Building blocks of the two OpenAPI documents: errors, parameters, bodies, and paths.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from apispec import APISpec
from marshmallow import Schema

from schemas.json_schema import OPENAPI, schema_of

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

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")  # not HEAD and OPTIONS, which Flask adds

Json = dict[str, Any]  # a part of a document


@dataclass(frozen=True, slots=True)
class Route:
    """A Flask rule with its methods, all of which are described by *operation*."""

    rule: str
    methods: Iterable[str]
    operation: Json


def document(title: str, version: str, security: dict[str, Json], routes: Iterable[Route]) -> Json:
    """Return an OpenAPI document; *version* is the product's, *security* has its schemes by name."""
    spec = APISpec(title, version, OPENAPI)
    spec.components.schema("Error", ERROR)
    for name, scheme in security.items():
        spec.components.security_scheme(name, scheme)
    for route in routes:
        methods = [method.lower() for method in METHODS if method in route.methods]
        spec.path(address(route.rule), operations=dict.fromkeys(methods, route.operation))
    return spec.to_dict()


def address(rule: str) -> str:
    """Return a Flask rule as an OpenAPI path: `/models/<path:model>` becomes `/models/{model}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def in_path(names: Iterable[str]) -> list[Json]:
    return [
        {"name": name, "in": "path", "schema": {"type": "string", "minLength": 1}} for name in sorted(names)
    ]


def body_of(schema: Schema, media_type: str = "application/json") -> Json:
    described = schema_of(schema)
    return {"required": "required" in described, "content": {media_type: {"schema": described}}}


def json_of(schema: Json | str) -> Json:
    """Return a response in JSON; *schema* may name a component."""
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]

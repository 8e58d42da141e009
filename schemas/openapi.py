"""
Building blocks of the two OpenAPI documents: errors, parameters, bodies, and paths.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apispec import APISpec
from marshmallow import Schema

from schemas.json_schema import OPENAPI, schema_of
from schemas.reference.merge import merge

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code"],
            "properties": {
                "message": {"type": "string", "description": "What happened, and what helps."},
                "type": {"type": "string", "description": "The class of the error, as in the OpenAI API."},
                "code": {"type": ["string", "null"], "description": "The error; the guide explains each."},
                "param": {"type": "string", "description": "The field or header at fault."},
                "resets_at": {"type": "integer", "description": "When a limit resets, in Unix seconds."},
            },
        }
    },
}

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")  # not HEAD and OPTIONS, which Flask adds

Json = dict[str, Any]  # a part of a document


@dataclass(frozen=True, slots=True)
class Route:
    """A Flask rule with its methods, which *operation* describes."""

    rule: str
    methods: Iterable[str]
    operation: Json


def document(
    title: str, version: str, description: str, security: dict[str, Json], routes: Iterable[Route]
) -> Json:
    """
    Return an OpenAPI document of the server that serves it.

    *version* is that of the product; *security* has the security schemes by name. Paths are in the order of
    *routes*.
    """
    info = {"description": description, "license": {"name": "MIT", "identifier": "MIT"}}
    spec = APISpec(title, version, OPENAPI, info=info, servers=[{"url": "/"}])
    spec.components.schema("Error", ERROR)
    for name, scheme in security.items():
        spec.components.security_scheme(name, scheme)
    for route in routes:
        methods = [method.lower() for method in METHODS if method in route.methods]
        spec.path(address(route.rule), operations={method: dict(route.operation) for method in methods})
    return spec.to_dict()


def tags(groups: Iterable[tuple[str, str]]) -> list[Json]:
    """Return the tags of a document, given as (name, description)."""
    return [{"name": name, "description": description} for name, description in groups]


def address(rule: str) -> str:
    """Return a Flask rule as an OpenAPI path: `/models/<path:model>` becomes `/models/{model}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def in_path(names: Iterable[str]) -> list[Json]:
    schema = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in sorted(names)]


def body_of(
    schema: Schema, media_type: str = "application/json", fields: Mapping[str, Json] | None = None
) -> Json:
    """Return a request body with *schema*; *fields* are descriptions of its fields."""
    described = merge(schema_of(schema), fields or {})
    return {"required": "required" in described, "content": {media_type: {"schema": described}}}


def json_of(schema: Json | str, description: str = "The result.") -> Json:
    """Return a JSON response; *schema* may be the name of a component."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def with_example(body: Json, example: Any) -> Json:
    """Return a JSON request body or response with its example, if there is one."""
    if example is not None:
        body["content"]["application/json"]["example"] = example
    return body


def described(text: str | None) -> Json:
    """Return the `summary` of a docstring, its first line, and the `description`, the paragraphs after it."""
    summary, *paragraphs = (" ".join(part.split()) for part in (text or "").strip().split("\n\n"))
    return {"summary": summary, **({"description": "\n\n".join(paragraphs)} if paragraphs else {})}

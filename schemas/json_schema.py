"""
Convert marshmallow schemas to JSON Schema: types, required fields, and simple bounds.

Other checks (such as the roles of messages, or relations between fields) are not expressed; error messages
name the field. Source: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema
from marshmallow.fields import Field

from schemas.admin import Digits
from schemas.fields import Integer, Json, Texts, WireSchema

TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}

OPENAPI = "3.1.0"

JsonSchema = dict[str, Any]


class Converter(OpenAPIConverter):
    """The converter of apispec, extended by our fields of strict JSON types."""

    def field2type_and_format(self, field: Field[Any], **_: Any) -> JsonSchema:
        if isinstance(field, Integer | Digits):
            return {"type": "integer", "minimum": field.allowed[0], "maximum": field.allowed[-1]}
        if not isinstance(field, Json):
            return {}
        described: JsonSchema = {"type": list(dict.fromkeys(TYPES[each] for each in field.types)) or ["null"]}
        if isinstance(field, Texts):
            described["items"] = {"type": "string"} | ({"enum": list(field.choices)} if field.choices else {})
        return described

    def field2length(self, field: Field[Any], **others: Any) -> JsonSchema:
        bounds: JsonSchema = super().field2length(field)
        if "array" in others["ret"].get("type", ()):
            return bounds | {
                name.replace("Length", "Items"): value
                for name, value in bounds.items()
                if name.endswith("Length")
            }
        return bounds

    def field2pattern(self, field: Field[Any], **_: Any) -> JsonSchema:
        pattern = super().field2pattern(field).get("pattern")
        return {"pattern": "^" + pattern.removesuffix(r"\Z") + "$"} if pattern else {}

    def field2nullable(self, field: Field[Any], ret: JsonSchema) -> JsonSchema:
        """Allow the type null, also where null counts as absent."""
        absent = isinstance(field.parent, WireSchema) and not field.required
        if "type" not in ret or not (field.allow_none or absent):
            return {}
        kinds = ret["type"] if isinstance(ret["type"], list) else [ret["type"]]
        nullable: JsonSchema = {"type": list(dict.fromkeys((*kinds, "null")))}
        if "enum" in ret:
            nullable["enum"] = list(dict.fromkeys((*ret["enum"], None)))
        return nullable


CONVERTER: Any = Converter(OPENAPI, schema_name_resolver=lambda _: None, spec=APISpec("", "", OPENAPI))


def schema_of(schema: Schema) -> JsonSchema:
    """Return the JSON Schema of the objects that *schema* loads."""
    described: JsonSchema = CONVERTER.schema2jsonschema(schema)
    return described


def parameters_of(schema: Schema) -> list[JsonSchema]:
    """Return the parameters of a query string that *schema* loads."""
    described: list[JsonSchema] = CONVERTER.schema2parameters(schema, location="query")
    return described

"""
Convert marshmallow schemas to JSON Schema: types, required fields, and simple bounds.

Other checks (roles of a message, relations between fields) are not expressed; the error names
the field. Source: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema
from marshmallow.fields import Field, Nested
from marshmallow.validate import Equal, Length, OneOf, Range, Regexp

from schemas.admin import Digits
from schemas.fields import Integer, Json, Texts, WireSchema

TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}

JsonSchema = dict[str, Any]


def schema_of(schema: Schema) -> JsonSchema:
    """Return the JSON Schema of the objects that *schema* loads."""
    fields = {field.data_key or name: field for name, field in schema.load_fields.items()}
    return {
        "type": "object",
        "properties": {
            name: _field_schema(field, nulls=isinstance(schema, WireSchema)) for name, field in fields.items()
        },
        "required": sorted(name for name, field in fields.items() if field.required),
        "additionalProperties": schema.unknown == INCLUDE,
    }


def _field_schema(field: Field[Any], *, nulls: bool) -> JsonSchema:
    """Return the JSON Schema of *field*; with *nulls*, null means the same as absence."""
    if isinstance(field, Nested):
        described = schema_of(field.schema)
    elif isinstance(field, Integer | Digits):
        described = {"type": "integer", "minimum": field.allowed[0], "maximum": field.allowed[-1]}
    elif isinstance(field, Json):
        described = {"type": list(dict.fromkeys(TYPES[json_type] for json_type in field.types)) or ["null"]}
        if isinstance(field, Texts):
            described["items"] = {"type": "string"} | ({"enum": list(field.choices)} if field.choices else {})
    else:
        described = {}
    for validator in field.validators:
        described |= _validator_schema(validator, described.get("type"))
    nullable = field.allow_none or (nulls and not field.required)
    return _or_null(described) if nullable and "type" in described else described


def _validator_schema(validator: Any, kinds: Any) -> JsonSchema:
    match validator:
        case Length(max=int(max_length)):
            return {"maxLength": max_length}
        case Length(min=int(min_length)):
            return {"minLength": min_length} | ({"minItems": min_length} if "array" in kinds else {})
        case Regexp(regex=regex):
            return {"pattern": "^" + str(regex.pattern).removesuffix(r"\Z") + "$"}
        case Equal(comparable=value):
            return {"enum": [value]}
        case OneOf(choices=choices):
            return {"enum": list(choices)}
        case Range(min=min_length, max=max_length):
            bounds = {"minimum": min_length, "maximum": max_length}
            return {name: bound for name, bound in bounds.items() if bound is not None}
    return {}


def _or_null(described: JsonSchema) -> JsonSchema:
    """Return *described*, also accepting null."""
    kinds = described["type"] if isinstance(described["type"], list) else [described["type"]]
    nullable = described | {"type": [*kinds, *(() if "null" in kinds else ("null",))]}
    if "enum" in described:
        nullable["enum"] = [*described["enum"], None]
    return nullable

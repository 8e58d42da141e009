"""
A marshmallow schema as JSON Schema: types, what is required, and the simple bounds.

What a schema checks beyond that (which roles a message may have, what goes together) is left to
the error that names the field. Source: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema
from marshmallow.fields import Field, Nested
from marshmallow.validate import Equal, Length, OneOf, Range, Regexp

from schemas.admin import Digits
from schemas.wire import Integer, Json, Texts, WireSchema

TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}

JsonSchema = dict[str, Any]


def schema_of(schema: Schema) -> JsonSchema:
    """Return *schema* as it reads what clients send."""
    fields = {field.data_key or name: field for name, field in schema.load_fields.items()}
    return {
        "type": "object",
        "properties": {
            name: _of(field, nulls=isinstance(schema, WireSchema)) for name, field in fields.items()
        },
        "required": sorted(name for name, field in fields.items() if field.required),
        "additionalProperties": schema.unknown == INCLUDE,
    }


def _of(field: Field[Any], *, nulls: bool) -> JsonSchema:
    """*nulls* says whether null is the same as absence here."""
    if isinstance(field, Nested):
        told = schema_of(field.schema)
    elif isinstance(field, Integer | Digits):
        told = {"type": "integer", "minimum": field.allowed[0], "maximum": field.allowed[-1]}
    elif isinstance(field, Json):
        told = {"type": list(dict.fromkeys(TYPES[one] for one in field.types)) or ["null"]}
        if isinstance(field, Texts):
            told["items"] = {"type": "string"} | ({"enum": list(field.choices)} if field.choices else {})
    else:
        told = {}
    for validator in field.validators:
        told |= _bound(validator, told.get("type"))
    nullable = field.allow_none or (nulls and not field.required)
    return _or_null(told) if nullable and "type" in told else told


def _bound(validator: Any, kinds: Any) -> JsonSchema:
    match validator:
        case Length(max=int(most)):
            return {"maxLength": most}
        case Length(min=int(least)):
            return {"minLength": least} | ({"minItems": least} if "array" in kinds else {})
        case Regexp(regex=regex):
            return {"pattern": "^" + str(regex.pattern).removesuffix(r"\Z") + "$"}
        case Equal(comparable=value):
            return {"enum": [value]}
        case OneOf(choices=choices):
            return {"enum": list(choices)}
        case Range(min=least, max=most):
            bounds = {"minimum": least, "maximum": most}
            return {name: bound for name, bound in bounds.items() if bound is not None}
    return {}


def _or_null(told: JsonSchema) -> JsonSchema:
    """Say that null is welcome, too."""
    kinds = told["type"] if isinstance(told["type"], list) else [told["type"]]
    nullable = told | {"type": [*kinds, *(() if "null" in kinds else ("null",))]}
    if "enum" in told:
        nullable["enum"] = [*told["enum"], None]
    return nullable

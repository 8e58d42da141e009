"""Short functions for the JSON Schemas of fields, with their descriptions."""

from __future__ import annotations

from schemas.json_schema import JsonSchema


def text(description: str = "", *values: str) -> JsonSchema:
    """Return a string; *values*, if any, are examples of an open list."""
    return _described({"type": "string", **({"examples": list(values)} if values else {})}, description)


def flag(description: str = "") -> JsonSchema:
    return _described({"type": "boolean"}, description)


def number(description: str = "") -> JsonSchema:
    return _described({"type": "number"}, description)


def integer(description: str = "") -> JsonSchema:
    return _described({"type": "integer"}, description)


def array(items: JsonSchema, description: str = "") -> JsonSchema:
    return _described({"type": "array", "items": items}, description)


def struct(_title: str, _required: str = "", _description: str = "", **fields: JsonSchema) -> JsonSchema:
    """Return an object titled *_title*; *_required* names its required fields. Other fields may follow."""
    schema: JsonSchema = {"type": "object", "title": _title, "properties": fields}
    if _required:
        schema["required"] = _required.split()
    return _described(schema, _description)


def constant(value: str) -> JsonSchema:
    return {"type": "string", "const": value}


def union(*options: JsonSchema) -> JsonSchema:
    return {"anyOf": list(options)}


def note(description: str) -> JsonSchema:
    """Return the description of a field whose type is generated."""
    return {"description": description}


def _described(schema: JsonSchema, description: str) -> JsonSchema:
    return {**schema, "description": description} if description else schema

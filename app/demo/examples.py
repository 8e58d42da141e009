"""
Build values that match a JSON Schema, for function arguments and structured responses.

Supports the keywords that structured outputs allow, and other common ones.
Source: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from math import ceil
from typing import Any

from app.demo.errors import HttpError

Json = dict[str, Any]

DEEP = 6  # from this depth on, lists are empty and nulls preferred
TOO_DEEP = 40  # a schema that requires itself has no finite example
MAX_VALUES = 10_000  # bounds a schema that doubles at every level
MAX_LENGTH = 1_000  # length of a list or a string, whatever its minimum
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "demo@example.com",
    "hostname": "demo.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/demo",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example(schema: Json, name: str = "value") -> Any:
    """
    Return a value that matches *schema*; strings contain *name*, that of the property.

    It has every required property and no other. A `pattern` is ignored.
    Raises HttpError 400 if the schema is invalid.
    """
    try:
        return _Maker(schema).value(schema, name, 0)
    except (TypeError, AttributeError, ValueError, ArithmeticError, LookupError):
        raise HttpError(400, "Invalid schema: it is not a JSON Schema.", code="invalid_schema") from None


class _Maker:
    def __init__(self, root: Json) -> None:
        self._root = root
        self._left = MAX_VALUES

    def value(self, schema: Any, name: str, depth: int) -> Any:
        self._left -= 1
        if not isinstance(schema, dict) or depth > TOO_DEEP or self._left < 0:
            return None
        if "$ref" in schema:
            return self.value(self._resolved(schema["$ref"]), name, depth + 1)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if schema.get("enum"):
            return schema["enum"][0]
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            return self.value(_branch(branches, depth), name, depth + 1)
        if schema.get("allOf"):
            return self.value(self._merged(schema), name, depth + 1)
        return self._typed(schema, name, depth)

    def _typed(self, schema: Json, name: str, depth: int) -> Any:
        kind = _kind(schema, depth)
        if kind == "object":
            properties = schema.get("properties") or {}
            required = schema.get("required") or ()
            return {key: self.value(properties.get(key, {}), key, depth + 1) for key in required}
        if kind == "array":
            return [
                self.value(schema.get("items", {}), name, depth + 1) for _ in range(_count(schema, depth))
            ]
        if kind == "string":
            return _string(schema, name)
        if kind in ("integer", "number"):
            return _number(schema, is_integer=kind == "integer")
        return True if kind == "boolean" else None

    def _merged(self, schema: Json) -> Json:
        """Merge `allOf` into its schema: properties and required are united; of others the last one wins."""
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            part = self._resolved(part["$ref"]) if "$ref" in part else part
            properties = {**merged.get("properties", {}), **part.get("properties", {})}
            required = [*merged.get("required", ()), *part.get("required", ())]
            merged.update(part)
            if properties:
                merged["properties"], merged["required"] = properties, list(dict.fromkeys(required))
        return merged

    def _resolved(self, pointer: str) -> Any:
        """Resolve a `#/$defs/Name` pointer; anything outside the document becomes an empty schema."""
        schema: Any = self._root
        for step in pointer.strip("#/").split("/") if pointer.strip("#/") else ():
            step = step.replace("~1", "/").replace("~0", "~")
            schema = schema.get(step, {}) if isinstance(schema, dict) else {}
        return schema


def _kind(schema: Json, depth: int) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return "null" if depth >= DEEP and "null" in kinds else str(kinds[0])
    if isinstance(kinds, str):
        return kinds
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _count(schema: Json, depth: int) -> int:
    required = max(int(schema.get("minItems", 0)), 1 if depth < DEEP else 0)
    return min(required, int(schema.get("maxItems", required)), MAX_LENGTH)


def _string(schema: Json, name: str) -> str:
    text = FORMATS.get(schema.get("format", ""), f"demo {name}")
    return text.ljust(min(schema.get("minLength", 0), MAX_LENGTH), ".")[: schema.get("maxLength")]


def _number(schema: Json, *, is_integer: bool) -> int | float:
    """Return the smallest allowed number from 1 up, or the largest below 1."""
    step = schema.get("multipleOf", 1)
    low, high = schema.get("minimum", 1), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + (step if is_integer else step / 2)
    if "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - (step if is_integer else step / 2)
    value = low if high is None else min(low, high)
    value = ceil(value / step) * step if is_integer or "multipleOf" in schema else value
    return int(value) if is_integer else float(value)


def _branch(branches: list[Any], depth: int) -> Any:
    if depth >= DEEP and {"type": "null"} in branches:
        return {"type": "null"}
    return branches[0]

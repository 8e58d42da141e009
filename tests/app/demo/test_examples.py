"""Values made from schemas."""

from __future__ import annotations

from typing import Any

import pytest

from app.demo.errors import HttpError
from app.demo.examples import example


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "demo city"),
        ({"type": "string", "minLength": 12}, "demo city..."),
        ({"type": "string", "maxLength": 4}, "demo"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "demo city"),
        ({"enum": ["C", "F"]}, "C"),
        ({"const": 4}, 4),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, []),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({}, "demo city"),
        (True, None),
    ],
)
def test_a_value_fits_its_schema(schema: Any, value: object) -> None:
    made = example({"type": "object", "properties": {"city": schema}, "required": ["city"]})
    assert made == {"city": value}


def test_an_object_has_what_is_required_and_no_more() -> None:
    assert example({"properties": {"a": {"type": "integer"}, "b": {}}, "required": ["a"]}) == {"a": 1}


def test_references_are_followed() -> None:
    schema = {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}}
    assert example(schema) == 1
    assert example({"$ref": "#/$defs/missing"}, "x") == "demo x"


def test_all_of_adds_up() -> None:
    parts = [
        {"$ref": "#/$defs/named"},
        {"properties": {"age": {"type": "integer"}}, "required": ["age"]},
    ]
    named = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    assert example({"allOf": parts, "$defs": {"named": named}}) == {"name": "demo name", "age": 1}


@pytest.mark.parametrize(
    "again",
    [
        {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        {"type": "array", "items": {"$ref": "#"}},
        {"type": ["object", "null"], "properties": {"next": {"$ref": "#"}}, "required": ["next"]},
        {"$ref": "#"},
    ],
)
def test_a_schema_that_holds_itself_comes_to_an_end(again: Any) -> None:
    assert "next" in example({"type": "object", "properties": {"next": again}, "required": ["next"]})


def test_a_schema_that_doubles_at_every_level_comes_to_an_end() -> None:
    twice = {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]}
    assert set(example(twice)) == {"a", "b"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": "many"},
        {"type": "integer", "multipleOf": 0},
        {"anyOf": 4},
        {"properties": ["a"], "required": ["a"]},
        {"$ref": 4},
    ],
)
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(HttpError):
        example(schema)


def test_lengths_have_an_end() -> None:
    assert len(example({"type": "string", "minLength": 10**12})) == 1000
    assert len(example({"type": "array", "minItems": 10**12, "items": {}})) == 1000

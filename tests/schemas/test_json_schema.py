"""marshmallow schemas as JSON Schema."""

from __future__ import annotations

from marshmallow.fields import Nested
from marshmallow.validate import Length, OneOf, Regexp

from schemas.fields import Flag, Integer, ShortText, Text, Texts, WireSchema
from schemas.json_schema import parameters_of, schema_of
from schemas.names import AdminSchema


class Inner(WireSchema):
    flag = Flag()


class Outer(WireSchema):
    name = ShortText(5, required=True)
    count = Integer(1, 9)
    choice = Text(validate=OneOf(("a", "b")))
    labels = Texts(("x", "y"))
    inner = Nested(Inner)


class Strict(AdminSchema):
    name = Text(load_default="n", validate=(Length(min=1), Regexp(r"[a-z]+\Z")))
    required = Text(required=True)
    some = Texts(validate=Length(min=1))


def test_types_and_bounds() -> None:
    schema = schema_of(Outer())

    assert schema["properties"]["name"] == {"type": ["string"], "maxLength": 5}
    assert schema["properties"]["count"] == {"type": ["integer", "null"], "minimum": 1, "maximum": 9}
    assert schema["properties"]["choice"] == {"type": ["string", "null"], "enum": ["a", "b", None]}
    assert schema["properties"]["labels"]["items"] == {"type": "string", "enum": ["x", "y"]}
    assert schema["properties"]["inner"]["properties"] == {"flag": {"type": ["boolean", "null"]}}


def test_required_and_additional_fields() -> None:
    assert schema_of(Outer())["required"] == ["name"]
    assert schema_of(Outer())["additionalProperties"] is True
    assert schema_of(Strict())["additionalProperties"] is False


def test_null_is_absence_only_for_clients() -> None:
    assert schema_of(Strict())["properties"]["name"] == {
        "type": ["string"],
        "default": "n",
        "minLength": 1,
        "pattern": "^[a-z]+$",
    }
    assert schema_of(Strict())["properties"]["some"]["minItems"] == 1


def test_parameters_of_a_query() -> None:
    described = [(each["name"], each["in"], each["required"]) for each in parameters_of(Strict())]
    assert described == [("name", "query", False), ("required", "query", True), ("some", "query", False)]

"""Building blocks of the OpenAPI documents."""

from __future__ import annotations

from schemas import openapi
from schemas.fields import Text
from schemas.names import AdminSchema, Name


class Query(AdminSchema):
    name = Name(required=True)
    other = Text()


def test_a_rule_becomes_a_path() -> None:
    assert openapi.address("/models/<path:model>") == "/models/{model}"
    assert openapi.address("/pools/<pool>/keys/<int:key>") == "/pools/{pool}/keys/{key}"


def test_parameters_of_a_path() -> None:
    assert [each["name"] for each in openapi.in_path({"b", "a"})] == ["a", "b"]


def test_a_body_is_required_if_a_field_is() -> None:
    assert openapi.body_of(Query())["required"] is True
    assert openapi.body_of(AdminSchema())["required"] is False


def test_the_docstring_of_an_operation() -> None:
    assert openapi.described("One line.") == {"summary": "One line."}
    text = """
    One line.

    A paragraph of
    two lines.

    Another.
    """
    assert openapi.described(text) == {
        "summary": "One line.",
        "description": "A paragraph of two lines.\n\nAnother.",
    }
    assert openapi.described(None) == {"summary": ""}

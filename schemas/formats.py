"""
The requested output format: chat's `response_format`, Responses' `text.format`.

Chat nests it, `{type: json_schema, json_schema: {name, schema}}`; Responses does not,
`{type: json_schema, name, schema}`. The upstream checks the JSON schema itself.

Source: https://platform.openai.com/docs/guides/structured-outputs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError
from marshmallow.validate import Regexp

from schemas.fields import Flag, Json, Object, Text, WireSchema
from schemas.validation_errors import invalid

PLAIN = ("text", "json_object")
TYPES = (*PLAIN, "json_schema")


class NamedSchema(WireSchema):
    name = Text(
        required=True,
        validate=Regexp(r"[A-Za-z0-9_-]{1,64}\Z", error="must be 1 to 64 letters, digits, _ or -"),
    )
    schema = Object()
    strict = Flag()
    description = Text()


_NAMED_SCHEMA = NamedSchema()


class TextFormat(Json):
    """`{type}` or `{type: json_schema, name, schema}`."""

    types, expected = (dict,), "an object"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        is_json_schema = _format_type(super()._deserialize(value, attr, data)) == "json_schema"
        return _NAMED_SCHEMA.load(value) if is_json_schema else value


class TextOptions(WireSchema):
    verbosity = Text()
    format = TextFormat()


class ResponseFormat(Json):
    """`{type}`, `{type: json_schema, json_schema: {name, schema}}`, or a string, returned as `{type}`."""

    types, expected = (dict, str), "an object"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        form = super()._deserialize(value, attr, data)
        if type(form) is str:
            form = {"type": form}
        if _format_type(form) != "json_schema":
            return form
        if type(form.get("json_schema")) is not dict:
            raise invalid("must have an object json_schema next to its type json_schema")
        try:
            return {**form, "json_schema": _NAMED_SCHEMA.load(form["json_schema"])}
        except ValidationError as error:
            raise ValidationError({"json_schema": error.messages}) from None


def _format_type(form: dict[str, Any]) -> str:
    kind = form.get("type")
    if type(kind) is not str or kind not in TYPES:
        raise invalid(f"must have the type {' or '.join(TYPES)}")
    return kind

"""
Strict JSON types, and the schema of an object that clients send.

`true` is no number and `"1"` no integer, but 1.0 is: JSON does not tell the two apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, ClassVar, TypeGuard

from marshmallow import INCLUDE, Schema, ValidationError, missing, post_load, pre_load, validates_schema
from marshmallow.fields import Field
from marshmallow.validate import Length

from schemas import bounds
from schemas.faults import fault
from schemas.work_bounds import MAX_FALLBACKS, MAX_STOP_CHARACTERS, MAX_STOPS

INTEGERS = range(-(2**63), 2**64)  # what can be written as a JSON integer again


def is_name(value: Any) -> TypeGuard[str]:
    return type(value) is str and value != ""


class WireSchema(Schema):
    """An object in which null says the same as absence."""

    class Meta:
        unknown = INCLUDE  # fields we do not act on reach the upstream untouched

    error_messages = {"type": "must be an object"}

    def load(self, data: Any, **options: Any) -> Any:
        return super().load(data, **(options | {"partial": None}))  # whatever the object around it is asked

    @pre_load
    def without_nulls(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


class WideSchema(WireSchema):
    """
    An object of many fields, of which few are given: thirty and five in a request.

    marshmallow asks each of them what to make of its absence. Here those that are required and
    those that have defaults are looked at by themselves, and all are asked only where something
    is wrong, so that it is told in their order.
    """

    def load(self, data: Any, **options: Any) -> Any:
        try:
            return Schema.load(self, data, **(options | {"partial": True}))
        except ValidationError:
            return super().load(data, **options)

    @validates_schema
    def check_required(self, body: dict[str, Any], **_: Any) -> None:
        for name in self._required:
            if name not in body:
                raise ValidationError(self.fields[name].error_messages["required"], name)

    @post_load
    def with_defaults(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        return self._defaults | body

    @cached_property
    def _required(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if field.required)

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        defaults = {name: field.load_default for name, field in self.fields.items()}
        return {name: default for name, default in defaults.items() if default is not missing}


class Json(Field[Any]):
    """A field that takes one JSON type and nothing like it."""

    default_error_messages = {"required": "is required", "null": "must not be null"}

    types: ClassVar[tuple[type, ...]] = ()
    wanted: ClassVar[str] = ""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(value) not in self.types:
            raise fault(f"must be {self.wanted}")
        return value


class Text(Json):
    types, wanted = (str,), "a string"


class ShortText(Text):
    """A string of at most *most* characters: what names something, rather than says something."""

    def __init__(self, most: int = bounds.MAX_TEXT_CHARS, least: int = 0, **more: Any) -> None:
        lengths = [Length(max=most, error=f"must have at most {most} characters")]
        if least:
            lengths.append(Length(min=least, error="must not be empty"))
        super().__init__(validate=lengths, **more)


class ModelName(ShortText):
    def __init__(self, **more: Any) -> None:
        super().__init__(least=1, **more)


class Flag(Json):
    types, wanted = (bool,), "true or false"


class Number(Json):
    types, wanted = (int, float), "a number"


class Object(Json):
    types, wanted = (dict,), "an object"


class Integer(Json):
    """An integer, from *least* to *most*."""

    def __init__(self, least: int = INTEGERS[0], most: int = INTEGERS[-1], **more: Any) -> None:
        super().__init__(**more)
        self.allowed = range(least, most + 1)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and value in self.allowed:
            return value
        bounds = "" if self.allowed == INTEGERS else f" from {self.allowed[0]} to {self.allowed[-1]}"
        raise fault(f"must be an integer{bounds}")


class Texts(Json):
    """An array of strings, each one of *choices* when they are given."""

    types, wanted = (list,), "an array of strings"

    def __init__(self, choices: Collection[str] = (), **more: Any) -> None:
        super().__init__(**more)
        self.choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        for index, text in enumerate(super()._deserialize(value, attr, data)):
            if type(text) is not str:
                raise fault("must be a string", index)
            if self.choices and text not in self.choices:
                raise fault(f"must be one of {', '.join(self.choices)}", index)
        return value


class TextOrTexts(Texts):
    wanted = "a string or an array of strings"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        return value if type(value) is str else super()._deserialize(value, attr, data)


class Stops(TextOrTexts):
    """The texts that end an answer."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(value) is list and len(value) > MAX_STOPS:
            raise fault(f"must have at most {MAX_STOPS} sequences")
        stops = super()._deserialize(value, attr, data)
        if (len(stops) if type(stops) is str else sum(map(len, stops))) > MAX_STOP_CHARACTERS:
            raise fault(f"must have at most {MAX_STOP_CHARACTERS} characters in all")
        return stops


class Fallbacks(Texts):
    """The names of models to go on with, where the one that is asked for fails."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        names = super()._deserialize(value, attr, data)
        if len(names) > MAX_FALLBACKS:
            raise fault(f"must have at most {MAX_FALLBACKS} names")
        for index, name in enumerate(names):
            if not name:
                raise fault("must not be empty", index)
            if len(name) > bounds.MAX_TEXT_CHARS:
                raise fault(f"must have at most {bounds.MAX_TEXT_CHARS} characters", index)
        return names


class Unread(Field[Any]):
    """
    A field that goes upstream as it is, whatever its type, and is refused only where it is too long.

    Of an object the number of pairs and the length of keys and texts are bounded, as the OpenAI API
    documents for `metadata`: https://platform.openai.com/docs/api-reference/chat/create
    """

    default_error_messages = {"null": "must not be null"}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(value) is str and len(value) > bounds.MAX_TEXT_CHARS:
            raise fault(f"must have at most {bounds.MAX_TEXT_CHARS} characters")
        if type(value) is dict:
            _check_pairs(value)
        return value


def _check_pairs(pairs: dict[str, Any]) -> None:
    if len(pairs) > bounds.MAX_METADATA_PAIRS:
        raise fault(f"must have at most {bounds.MAX_METADATA_PAIRS} pairs")
    for name, text in pairs.items():
        if len(name) > bounds.MAX_METADATA_KEY_CHARS:
            raise fault(f"must have keys of at most {bounds.MAX_METADATA_KEY_CHARS} characters")
        if type(text) is str and len(text) > bounds.MAX_METADATA_VALUE_CHARS:
            raise fault(f"must have values of at most {bounds.MAX_METADATA_VALUE_CHARS} characters")

"""
Fields of strict JSON types, and base schemas of the objects that clients send.

`true` is not a number and `"1"` is not an integer, but 1.0 is one: JSON has one number type.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, TypeGuard

from marshmallow import INCLUDE, Schema, ValidationError, missing, post_load, pre_load, validates_schema
from marshmallow.fields import Field
from marshmallow.validate import Length

from schemas import bounds
from schemas.validation_errors import invalid
from schemas.work_bounds import MAX_FALLBACKS, MAX_STOP_CHARS, MAX_STOPS

INTEGERS = range(-(2**63), 2**64)  # the integers that orjson can write


SPACES = "must not begin or end with a space"
NOT_EMPTY = Length(min=1, error="must not be empty")


def is_name(value: Any) -> TypeGuard[str]:
    return type(value) is str and value != ""


class WireSchema(Schema):
    """An object in which a field that is null counts as absent."""

    class Meta:
        unknown = INCLUDE  # unknown fields reach the upstream unchanged

    error_messages = {"type": "must be an object"}

    def load(self, data: Any, **options: Any) -> Any:
        try:
            return super().load(data, **(options | {"partial": None}))  # also inside a partial object
        except ValidationError as error:
            # A frame of marshmallow refers to the error: a cycle, which would retain the request.
            raise error.with_traceback(None) from None

    @pre_load
    def without_nulls(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


class WideSchema(WireSchema):
    """
    An object with many fields (about thirty), of which a request sets few (about five).

    marshmallow spends most of its time on absent fields and on its hooks. This schema reads only the fields
    that are present; if that finds an error, it loads the object normally, so that errors are reported in the
    order of the fields. Such a schema has `check` and `complete` in place of hooks.
    """

    def load(self, data: Any, **options: Any) -> Any:
        try:
            return self._load_present(data)
        except ValidationError:
            return super().load(data, **options)

    def _load_present(self, data: Any) -> dict[str, Any]:
        """Return what marshmallow would load. Raises ValidationError if it would."""
        if not isinstance(data, dict):
            raise ValidationError(self.error_messages["type"])
        fields, body, given = self.load_fields, {}, self.without_nulls(data)
        for name, value in given.items():
            field = fields.get(name)
            body[name] = value if field is None else field.deserialize(value, name, given)
        for name in self._required:
            if name not in body:
                raise ValidationError(self.fields[name].error_messages["required"], name)
        self.check(body)
        return self.complete(self._defaults | body)

    def check(self, body: dict[str, Any]) -> None:
        """Raise ValidationError for fields that contradict each other."""

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the result of loading *body*, whose fields have been checked."""
        return body

    @validates_schema
    def check_loaded(self, body: dict[str, Any], **_: Any) -> None:
        self.check(body)

    @post_load
    def complete_loaded(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        return self.complete(body)

    @cached_property
    def _required(self) -> tuple[str, ...]:
        return tuple(name for name, field in self.fields.items() if field.required)

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        defaults = {name: field.load_default for name, field in self.fields.items()}
        return {name: default for name, default in defaults.items() if default is not missing}


class Json(Field[Any]):
    """A field of the JSON types in `types`, without coercion."""

    default_error_messages = {"required": "is required", "null": "must not be null"}

    types: ClassVar[tuple[type, ...]] = ()
    expected: ClassVar[str] = ""

    def deserialize(
        self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Return what *value* means. marshmallow makes a validator in each call, also where there is none."""
        if value is None or value is missing or self.validators or self.pre_load or self.post_load:
            return super().deserialize(value, attr, data, **options)
        return self._deserialize(value, attr, data, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(value) not in self.types:
            raise invalid(f"must be {self.expected}")
        return value


class Text(Json):
    types, expected = (str,), "a string"


class ShortText(Text):
    """A string of *min_chars* to *max_chars* characters: a name or an id, not content."""

    def __init__(self, max_chars: int = bounds.MAX_TEXT_CHARS, min_chars: int = 0, **more: Any) -> None:
        lengths = [Length(max=max_chars, error=f"must have at most {max_chars} characters")]
        if min_chars:
            lengths.append(Length(min=min_chars, error="must not be empty"))
        super().__init__(validate=lengths, **more)


class ModelName(ShortText):
    """A name without surrounding spaces: some upstreams ignore them, so it would pass limits by model."""

    def __init__(self, **more: Any) -> None:
        super().__init__(min_chars=1, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        name = super()._deserialize(value, attr, data)
        if name != name.strip():
            raise invalid(SPACES)
        return name


class Flag(Json):
    types, expected = (bool,), "true or false"


class Number(Json):
    types, expected = (int, float), "a number"


class Object(Json):
    types, expected = (dict,), "an object"


class Integer(Json):
    """An integer from *min_value* to *max_value*."""

    def __init__(self, min_value: int = INTEGERS[0], max_value: int = INTEGERS[-1], **more: Any) -> None:
        super().__init__(**more)
        self.allowed = range(min_value, max_value + 1)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and value in self.allowed:
            return value
        bounds = "" if self.allowed == INTEGERS else f" from {self.allowed[0]} to {self.allowed[-1]}"
        raise invalid(f"must be an integer{bounds}")


class Texts(Json):
    """An array of strings, each among *choices* if any are given."""

    types, expected = (list,), "an array of strings"

    def __init__(self, choices: Collection[str] = (), **more: Any) -> None:
        super().__init__(**more)
        self.choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        for index, text in enumerate(super()._deserialize(value, attr, data)):
            if type(text) is not str:
                raise invalid("must be a string", index)
            if self.choices and text not in self.choices:
                raise invalid(f"must be one of {', '.join(self.choices)}", index)
        return value


class TextOrTexts(Texts):
    expected = "a string or an array of strings"

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        return value if type(value) is str else super()._deserialize(value, attr, data)


class Stops(TextOrTexts):
    """Stop sequences."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(value) is list and len(value) > MAX_STOPS:
            raise invalid(f"must have at most {MAX_STOPS} sequences")
        stops = super()._deserialize(value, attr, data)
        if (len(stops) if type(stops) is str else sum(map(len, stops))) > MAX_STOP_CHARS:
            raise invalid(f"must have at most {MAX_STOP_CHARS} characters in all")
        return stops


class Fallbacks(Texts):
    """The models to try in order after the requested model fails."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        names = super()._deserialize(value, attr, data)
        if len(names) > MAX_FALLBACKS:
            raise invalid(f"must have at most {MAX_FALLBACKS} names")
        for index, name in enumerate(names):
            if not name:
                raise invalid("must not be empty", index)
            if len(name) > bounds.MAX_TEXT_CHARS:
                raise invalid(f"must have at most {bounds.MAX_TEXT_CHARS} characters", index)
            if name != name.strip():
                raise invalid(SPACES, index)
        return names


class Unread(Field[Any]):
    """
    A field of any type that is sent upstream unchanged, and refused only if it is too large.

    An object's pairs, keys and strings have the bounds that the OpenAI API documents for `metadata`:
    https://platform.openai.com/docs/api-reference/chat/create
    """

    default_error_messages = {"null": "must not be null"}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(value) is str and len(value) > bounds.MAX_TEXT_CHARS:
            raise invalid(f"must have at most {bounds.MAX_TEXT_CHARS} characters")
        if type(value) is dict:
            _check_pairs(value)
        return value


def _check_pairs(pairs: dict[str, Any]) -> None:
    if len(pairs) > bounds.MAX_METADATA_PAIRS:
        raise invalid(f"must have at most {bounds.MAX_METADATA_PAIRS} pairs")
    for name, text in pairs.items():
        if len(name) > bounds.MAX_METADATA_KEY_CHARS:
            raise invalid(f"must have keys of at most {bounds.MAX_METADATA_KEY_CHARS} characters")
        if type(text) is str and len(text) > bounds.MAX_METADATA_VALUE_CHARS:
            raise invalid(f"must have values of at most {bounds.MAX_METADATA_VALUE_CHARS} characters")


def without_empty_lengths(body: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """
    Return *body* without lengths below 1 in the fields *names*: they limit nothing.

    Clients send -1, or 0, for "no limit". A server may read it so although another field has a length.
    """
    empty = [name for name in names if type(body.get(name)) is int and body[name] < 1]
    return {name: value for name, value in body.items() if name not in empty} if empty else body

"""
Validation errors in pydantic's format: location, type and message of every error.

Clients of Python services read `{"detail": [{loc, msg, type, input, ctx}]}`.

Source: https://docs.pydantic.dev/latest/errors/validation_errors/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Self

import orjson
from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA

from schemas.work_bounds import MAX_ECHOED_BYTES, MAX_ERRORS

Location = tuple[str | int, ...]

MAX_NAME_CHARS = 256  # reported characters of a field's name; clients choose the names in metadata
MESSAGES = {
    "missing": "Field required",
    "string_type": "Input should be a valid string",
    "string_too_short": "String should have at least {min_length} character",
    "int_type": "Input should be a valid integer",
    "int_parsing": "Input should be a valid integer, unable to parse string as an integer",
    "int_from_float": "Input should be a valid integer, got a number with a fractional part",
    "float_type": "Input should be a valid number",
    "float_parsing": "Input should be a valid number, unable to parse string as a number",
    "bool_type": "Input should be a valid boolean",
    "bool_parsing": "Input should be a valid boolean, unable to interpret input",
    "list_type": "Input should be a valid list",
    "too_long": "List should have at most {max_length} items after validation, not {actual_length}",
    "too_short": "List should have at least {min_length} item after validation, not {actual_length}",
    "dict_type": "Input should be a valid dictionary",
    "literal_error": "Input should be {expected}",
    "greater_than_equal": "Input should be greater than or equal to {ge}",
    "less_than_equal": "Input should be less than or equal to {le}",
    "json_invalid": "JSON decode error",
    "value_error": "Value error, {error}",
}


class PydanticMessage(str):
    """The message of one error, with its `type` and the values (`context`) that it mentions."""

    __slots__ = ("context", "type")

    type: str
    context: dict[str, Any]

    def __new__(cls, type: str, **context: Any) -> Self:
        self = super().__new__(cls, MESSAGES[type].format(**context))
        self.type, self.context = type, context
        return self


def pydantic_error(type: str, **context: Any) -> ValidationError:
    return ValidationError([PydanticMessage(type, **context)])


def one_of(choices: Sequence[str]) -> ValidationError:
    """Return the error for a value that is not among *choices* (at least one)."""
    *firsts, last = [f"'{choice}'" for choice in choices]
    return pydantic_error("literal_error", expected=f"{', '.join(firsts)} or {last}" if firsts else last)


def detail(message: str, location: Location, value: Any) -> dict[str, Any]:
    """Return one entry of `detail`; a *message* that is not a PydanticMessage becomes a `value_error`."""
    if not isinstance(message, PydanticMessage):
        message = PydanticMessage("value_error", error=message)
    steps = [step[:MAX_NAME_CHARS] if isinstance(step, str) else step for step in location]
    entry = {"type": message.type, "loc": ["body", *steps], "msg": str(message), "input": _echo(value)}
    return entry | ({"ctx": message.context} if message.context else {})


def details(error: ValidationError, body: Any) -> list[dict[str, Any]]:
    """Return the first MAX_ERRORS errors of *body*, as entries of `detail`."""
    errors = islice(_flatten(error.messages, ()), MAX_ERRORS)
    return [detail(message, location, _value_at(body, location)) for location, message in errors]


def count(messages: Any) -> int:
    """Return the number of errors in the *messages* of a ValidationError."""
    if isinstance(messages, dict):
        return sum(map(count, messages.values()))
    return len(messages)


def _flatten(messages: Any, location: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(messages, dict):
        for step, inner in messages.items():
            yield from _flatten(inner, location if step == SCHEMA else (*location, step))
    else:
        yield from ((location, message) for message in messages)


def _value_at(body: Any, location: Location) -> Any:
    """Return the value at *location*, or the innermost existing container on that path."""
    for step in location:
        try:
            body = body[step]
        except (KeyError, IndexError, TypeError):
            break
    return body


def _echo(value: Any) -> Any:
    """Return *value* unchanged if it is short, else None."""
    if _min_json_bytes(value, MAX_ECHOED_BYTES) > MAX_ECHOED_BYTES:
        return None
    return value if len(orjson.dumps(value)) <= MAX_ECHOED_BYTES else None


def _min_json_bytes(value: Any, enough: int) -> int:
    """Return a lower bound of the JSON bytes of *value*; stop counting at *enough*."""
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, dict | list):
        return 1
    size = len(value)
    for inner in value.values() if isinstance(value, dict) else value:
        if size > enough:
            break
        size += _min_json_bytes(inner, enough - size)
    return size

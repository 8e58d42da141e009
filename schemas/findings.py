"""
What is wrong with a body, told as pydantic tells it: where, what kind, in which words.

Clients of services written in Python read `{"detail": [{loc, msg, type, input, ctx}]}`.

Source: https://docs.pydantic.dev/latest/errors/validation_errors/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Self

import orjson
from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA

from schemas.work_bounds import MAX_ECHOED_BYTES, MAX_FINDINGS

Place = tuple[str | int, ...]

MAX_NAME = 256  # characters of a field's name that are reported; clients choose those of metadata
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


class Finding(str):
    """The sentence of one finding, with its `type` and what else is known of it."""

    __slots__ = ("context", "type")

    type: str
    context: dict[str, Any]

    def __new__(cls, type: str, **context: Any) -> Self:
        self = super().__new__(cls, MESSAGES[type].format(**context))
        self.type, self.context = type, context
        return self


def finding(type: str, **context: Any) -> ValidationError:
    return ValidationError([Finding(type, **context)])


def one_of(choices: Sequence[str]) -> ValidationError:
    """Return the error for a value that is none of *choices*, two at least or one."""
    *firsts, last = [f"'{choice}'" for choice in choices]
    return finding("literal_error", expected=f"{', '.join(firsts)} or {last}" if firsts else last)


def detail(found: str, place: Place, given: Any) -> dict[str, Any]:
    """Return one entry of `detail`; what a schema of ours says in its own words is a `value_error`."""
    if not isinstance(found, Finding):
        found = Finding("value_error", error=found)
    steps = [step[:MAX_NAME] if isinstance(step, str) else step for step in place]
    entry = {"type": found.type, "loc": ["body", *steps], "msg": str(found), "input": _echo(given)}
    return entry | ({"ctx": found.context} if found.context else {})


def details(error: ValidationError, body: Any) -> list[dict[str, Any]]:
    """Return what *error* found wrong with *body*, the first MAX_FINDINGS of it."""
    found = islice(_found(error.messages, ()), MAX_FINDINGS)
    return [detail(sentence, place, _at(body, place)) for place, sentence in found]


def count(messages: Any) -> int:
    """Return how many findings the *messages* of a ValidationError hold."""
    if isinstance(messages, dict):
        return sum(map(count, messages.values()))
    return len(messages)


def _found(messages: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(messages, dict):
        for step, inner in messages.items():
            yield from _found(inner, place if step == SCHEMA else (*place, step))
    else:
        yield from ((place, found) for found in messages)


def _at(body: Any, place: Place) -> Any:
    """Return what stands at *place*; where nothing does, what should have held it."""
    for step in place:
        try:
            body = body[step]
        except (KeyError, IndexError, TypeError):
            break
    return body


def _echo(given: Any) -> Any:
    """Return a short value as it is, and null for a longer one."""
    if _least_bytes(given, MAX_ECHOED_BYTES) > MAX_ECHOED_BYTES:
        return None
    return given if len(orjson.dumps(given)) <= MAX_ECHOED_BYTES else None


def _least_bytes(value: Any, enough: int) -> int:
    """Return a lower bound of the JSON bytes of *value*, without looking further than *enough*."""
    if isinstance(value, str):
        return len(value)
    if not isinstance(value, dict | list):
        return 1
    size = len(value)
    for inner in value.values() if isinstance(value, dict) else value:
        if size > enough:
            break
        size += _least_bytes(inner, enough - size)
    return size

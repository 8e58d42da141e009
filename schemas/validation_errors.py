"""Turn a ValidationError into one field name and one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA

NUMBERED = ("tools",)  # lists whose index is part of `param`: `tools[2]`


def invalid(text: str, *path: str | int) -> ValidationError:
    """
    Return a ValidationError with *text* for the value at *path* inside the field.

    *text* is the predicate of a sentence whose subject is the path: `must be a string`.
    """
    messages: Any = [text]
    for step in reversed(path):
        messages = {step: messages}
    return ValidationError(messages)


def first_error(error: ValidationError) -> tuple[str | None, str]:
    """
    Return (param, message) of the first error.

    *message* begins with the full path: `messages[2].role must be …`. *param* is the
    dotted path of the field, up to the first list: `messages`, `n`,
    `stream_options.include_usage`; None when the body is not an object.
    """
    steps, message = _first(error)
    return _param(steps), f"{_path(steps) or 'The request body'} {message}"


def first_error_path(error: ValidationError) -> tuple[str, str]:
    """
    Return the full path of the first error ('' for the document itself), and its message without the path.
    """
    steps, message = _first(error)
    return _path(steps), message


def all_error_paths(error: ValidationError) -> list[tuple[str, str]]:
    """Return the full path and the message of every error, see `first_error_path`; at most one per value."""
    return [(_path(steps), message) for steps, message in _all(error.messages, [])]


def _all(messages: Any, steps: list[str | int]) -> Iterator[tuple[list[str | int], str]]:
    if not isinstance(messages, dict):
        yield steps, messages[0]
        return
    for step, inner in messages.items():
        yield from _all(inner, steps if step == SCHEMA else [*steps, step])


def _first(error: ValidationError) -> tuple[list[str | int], str]:
    steps: list[str | int] = []
    messages: Any = error.messages
    while isinstance(messages, dict):
        step, messages = next(iter(messages.items()))
        if step != SCHEMA:
            steps.append(step)
    return steps, messages[0]


def _param(steps: list[str | int]) -> str | None:
    end = next((at for at, step in enumerate(steps) if isinstance(step, int)), len(steps))
    if steps[:1] and steps[0] in NUMBERED:
        end += 1
    return _path(steps[:end]) or None


def _path(steps: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")

"""What is wrong with a body, as one field name and one sentence."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA

NUMBERED = ("tools",)  # lists whose elements are named one by one: `tools[2]`


def fault(text: str, *place: str | int) -> ValidationError:
    """
    Return the error that says *text* of what stands at *place* inside the field.

    *text* is the end of a sentence that begins with the place: `must be a string`.
    """
    messages: Any = [text]
    for step in reversed(place):
        messages = {step: messages}
    return ValidationError(messages)


def first_fault(error: ValidationError) -> tuple[str | None, str]:
    """
    Return (param, message) of the first thing that is wrong.

    *message* says where to the last index: `messages[2].role must be …`. *param* is the
    dotted path of the field, which ends where a list begins: `messages`, `n`,
    `stream_options.include_usage`; None when the body is no object at all.
    """
    steps: list[str | int] = []
    found: Any = error.messages
    while isinstance(found, dict):
        step, found = next(iter(found.items()))
        if step != SCHEMA:
            steps.append(step)
    return _param(steps), f"{_path(steps) or 'The request body'} {found[0]}"


def _param(steps: list[str | int]) -> str | None:
    end = next((at for at, step in enumerate(steps) if isinstance(step, int)), len(steps))
    if steps[:1] and steps[0] in NUMBERED:
        end += 1
    return _path(steps[:end]) or None


def _path(steps: list[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")

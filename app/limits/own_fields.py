"""
The request fields that the settings of an account may remove or set: none that the gateway checks.

The gateway checks and charges the request that its caller sent. So an account's own fields must not choose
another model, a longer response, more choices, more input or another price, by any spelling of a name that
`disguised_fields` knows, also within objects; nor may they change how the response arrives or is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import InvalidRequest
from app.limits.disguised_fields import (
    LENGTHS,
    OTHER_COUNTS,
    OTHER_LENGTHS,
    OTHER_MODELS,
    fold,
    is_disguised_inside,
)
from app.limits.references import ADDING, EXTENDING, PASSED_CONTENT, STORED, searches

_CHECKED = {
    "it chooses the model": ("model", "fallbacks", *OTHER_MODELS),
    "it limits the length of the response": (*LENGTHS, *OTHER_LENGTHS, EXTENDING),
    "it chooses the number of responses": ("n", "best_of", *OTHER_COUNTS),
    "it chooses how the response is sent": ("stream", "stream_options"),
    "it chooses the price": ("service_tier",),
    "it chooses what the upstream stores": ("store",),
    "it is the input": ("messages", "input", "prompt", *STORED, *PASSED_CONTENT),
}
_ADDING_INPUT = (
    *("instructions", "tools", "functions", "tool_resources", "response_format", "text", "prediction"),
    *("modalities", "system", "suffix", "chat_template", "extra_body", *ADDING),
)
_REASONS = {fold(name): reason for reason, names in _CHECKED.items() for name in names}
_ADDING = frozenset(map(fold, _ADDING_INPUT))
_INSIDE = frozenset(("mode",))  # members of `reasoning` that make an upstream call its model repeatedly


def check_own_fields(dropped: Iterable[str], values: Mapping[str, Any]) -> None:
    """Raise InvalidRequest, with the reason, for a field that an account must not remove or set."""
    for name in dropped:
        if reason := _REASONS.get(fold(name)):
            raise InvalidRequest(f"'{name}' cannot be left out: {reason}", param="drop_fields")
    for name, value in values.items():
        if value is None:  # the setting is removed
            continue
        reason = _REASONS.get(fold(name)) or _reason_inside(value, name)
        if fold(name) in _ADDING:
            reason = "it adds input that limits do not count"
        if reason:
            raise InvalidRequest(f"'{name}' cannot be set: {reason}", param=f"set_fields.{name}")


def check_model_names(names: Mapping[str, str | None]) -> None:
    """Raise InvalidRequest for an upstream's model name that adds input, where the caller's name does not."""
    for name, own_name in names.items():
        if own_name and searches(own_name) and not searches(name):
            raise InvalidRequest(
                f"'{own_name}' searches, which adds input that limits do not count: callers must request it "
                "by a name that shows it",
                param=f"model_names.{name}",
            )


def _reason_inside(value: Any, place: str) -> str:
    """Return why the field *place* cannot be set to *value*; '' if it can."""
    if isinstance(value, list):
        return next(filter(None, (_reason_inside(inner, place) for inner in value)), "")
    if not isinstance(value, dict):
        return ""
    for name, inner in value.items():
        if is_disguised_inside(name) or (fold(place) == "reasoning" and fold(name) in _INSIDE):
            return f"its member '{name[:64]}' chooses the model, the length or the number of responses"
        if reason := _reason_inside(inner, name):
            return reason
    return ""

"""The body that sets a model route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow.fields import List, Nested
from marshmallow.validate import Length

from schemas.bounds import (
    MAX_KEY_ACCOUNTS,
    MAX_ROUTE_STEPS,
    MAX_ROUTE_TARGETS,
    MAX_ROUTE_WEIGHT,
    MAX_TIER_CHARS,
    MAX_TOKENS,
    name_error,
)
from schemas.fields import Integer, Number, ShortText
from schemas.known_values import EFFORTS, TIERS, TIERS_IN_RESPONSES
from schemas.names import AdminSchema, Names
from schemas.validation_errors import invalid

KNOWN_VALUES = {  # of fields that a route may set; servers may accept others
    "reasoning_effort": EFFORTS,
    "service_tier": (*TIERS, *TIERS_IN_RESPONSES),
}
MAX_TEMPERATURE = 100  # higher than any server accepts


class TargetName(ShortText):
    """The name of a target model of a route."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        name = super()._deserialize(value, attr, data)
        if error := name_error(name):
            raise invalid(error)
        if "*" in name:
            raise invalid("must be the name of a model, not a pattern")
        return name


class Temperature(Number):
    """A number from 0 to *MAX_TEMPERATURE*; not NaN, which the CLI parses as a number."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        number = super()._deserialize(value, attr, data)
        if not 0 <= number <= MAX_TEMPERATURE:
            raise invalid(f"must be a number from 0 to {MAX_TEMPERATURE}")
        return number


class RouteTargetInput(AdminSchema):
    """A model, the accounts that may serve it (empty: any), and its share of the step's conversations."""

    model = TargetName(required=True)
    accounts = Names(MAX_KEY_ACCOUNTS, load_default=list)
    weight = Integer(1, MAX_ROUTE_WEIGHT, load_default=1)


class RouteFields(AdminSchema):
    """Request fields that a route may set, by their names in chat."""

    reasoning_effort = ShortText(MAX_TIER_CHARS, 1)
    temperature = Temperature()
    max_tokens = Integer(1, MAX_TOKENS)
    service_tier = ShortText(MAX_TIER_CHARS, 1)


class RouteInput(AdminSchema):
    """`steps` are tried in order; `defaults` apply if a request lacks a field, `overrides` always."""

    steps = List(
        List(
            Nested(RouteTargetInput, error_messages={"type": "must be an object"}),
            validate=Length(1, MAX_ROUTE_TARGETS, error=f"must have 1 to {MAX_ROUTE_TARGETS} targets"),
            error_messages={"invalid": "must be an array of targets"},
        ),
        required=True,
        validate=Length(1, MAX_ROUTE_STEPS, error=f"must have 1 to {MAX_ROUTE_STEPS} steps"),
        error_messages={"invalid": "must be an array of steps", "required": "is required"},
    )
    defaults = Nested(RouteFields, load_default=dict)
    overrides = Nested(RouteFields, load_default=dict)


ROUTE_INPUT = RouteInput()
ROUTE_FIELDS = tuple(RouteFields().fields)

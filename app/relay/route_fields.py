"""The fields of a request that a model route sets, by the names of the request's protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.limits.output_lengths import LENGTH_FIELDS
from app.translation.requests.reasoning_and_format import EFFORT_ALIASES, reasoning_settings

PROTOCOLS = ("chat", "responses", "completions")  # of requests that a route changes
_SAME_NAME = ("temperature", "service_tier")
_THINKING = (*EFFORT_ALIASES, "thinking", "enable_thinking")

Body = dict[str, Any]


def with_route_fields(
    client_protocol: str, body: Body, defaults: Mapping[str, Any], overrides: Mapping[str, Any]
) -> Body:
    """
    Return *body* with *overrides*, and with those of *defaults* that it does not have.

    Both have the names of `schemas.model_routes.RouteFields`. *body* is not changed; requests of other
    endpoints than chat, Responses and completions stay as they are.
    """
    if client_protocol not in PROTOCOLS or not (defaults or overrides):
        return body
    changed = body.copy()
    for name, value in defaults.items():
        if not _is_set(client_protocol, changed, name):
            _set(client_protocol, changed, name, value)
    for name, value in overrides.items():
        _set(client_protocol, changed, name, value)
    return changed


def _is_set(client_protocol: str, body: Body, name: str) -> bool:
    if name == "max_tokens":
        return any(map(body.get, LENGTH_FIELDS[client_protocol]))
    if name == "reasoning_effort":
        return reasoning_settings(body).get("effort") is not None
    return body.get(name) is not None


def _set(client_protocol: str, body: Body, name: str, value: Any) -> None:
    """Set the field *name* of *body* and remove its other names."""
    if name in _SAME_NAME:
        body[name] = value
    elif name == "max_tokens":
        names = LENGTH_FIELDS[client_protocol]
        for other in names:
            body.pop(other, None)
        body[names[0]] = value
    # Models of completions do not reason
    elif name == "reasoning_effort" and client_protocol != "completions":
        _set_effort(client_protocol, body, value)


def _set_effort(client_protocol: str, body: Body, value: Any) -> None:
    for name in _THINKING:
        body.pop(name, None)
    reasoning = body.get("reasoning")
    reasoning = reasoning if isinstance(reasoning, dict) else {}
    if client_protocol == "responses":
        body["reasoning"] = {**reasoning, "effort": value}
        return
    if "effort" in reasoning:
        body["reasoning"] = {other: part for other, part in reasoning.items() if other != "effort"}
    body["reasoning_effort"] = value

"""A route sets fields by the names of the request's protocol; nothing of the same meaning remains."""

from __future__ import annotations

from typing import Any

import pytest

from app.relay.route_fields import with_route_fields

EVERY = {"reasoning_effort": "low", "temperature": 0.5, "max_tokens": 40, "service_tier": "flex"}
SENT: dict[str, dict[str, Any]] = {
    "chat": {
        "reasoning_effort": "low",
        "temperature": 0.5,
        "max_completion_tokens": 40,
        "service_tier": "flex",
    },
    "responses": {
        "reasoning": {"effort": "low"},
        "temperature": 0.5,
        "max_output_tokens": 40,
        "service_tier": "flex",
    },
    "completions": {"temperature": 0.5, "max_tokens": 40, "service_tier": "flex"},
    "embeddings": {},
}
OWN: dict[str, dict[str, Any]] = {
    "chat": {"reasoningEffort": "high", "temperature": 1, "max_tokens": 9, "service_tier": "auto"},
    "responses": {
        "reasoning": {"effort": "high", "summary": "auto"},
        "temperature": 1,
        "max_output_tokens": 9,
    },
    "completions": {"temperature": 0, "max_tokens": 9},
}


@pytest.mark.parametrize("protocol", SENT)
def test_where_the_request_has_none(protocol: str) -> None:
    """Defaults and overrides are the same there; other endpoints do not have these fields."""
    body = {"model": "m"}

    assert with_route_fields(protocol, body, EVERY, {}) == {"model": "m", **SENT[protocol]}
    assert with_route_fields(protocol, body, {}, EVERY) == {"model": "m", **SENT[protocol]}
    assert body == {"model": "m"}


@pytest.mark.parametrize("protocol", OWN)
def test_defaults_leave_what_the_request_has(protocol: str) -> None:
    body = OWN[protocol]

    changed = with_route_fields(protocol, body, {**EVERY, "service_tier": "flex"}, {})

    assert {name: changed[name] for name in body} == body
    assert changed.keys() - body.keys() <= {"service_tier"}


@pytest.mark.parametrize("protocol", OWN)
def test_overrides_replace_every_name(protocol: str) -> None:
    changed = with_route_fields(protocol, OWN[protocol], {"temperature": 2}, EVERY)

    expected = SENT[protocol]
    if protocol == "responses":
        expected = {**expected, "reasoning": {"effort": "low", "summary": "auto"}}
    assert changed == expected


def test_thinking_is_an_effort() -> None:
    assert with_route_fields("chat", {"thinking": {"type": "enabled"}}, EVERY, {})["thinking"]
    assert with_route_fields("chat", {"thinking": True}, {}, {"reasoning_effort": "low"}) == {
        "reasoning_effort": "low"
    }


def test_no_fields() -> None:
    body = {"model": "m"}

    assert with_route_fields("chat", body, {}, {}) is body

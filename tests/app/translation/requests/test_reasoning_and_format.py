"""Reasoning, verbosity and formats under every name."""

from __future__ import annotations

import pytest

from app.errors import InvalidRequest
from app.translation.requests.reasoning_and_format import (
    reasoning_settings,
    response_format,
    text_format,
    text_settings,
)


@pytest.mark.parametrize(
    ("body", "reasoning"),
    [
        ({}, {}),
        ({"reasoning_effort": "low"}, {"effort": "low"}),
        ({"reasoningEffort": "low", "reasoningSummary": "auto"}, {"effort": "low", "summary": "auto"}),
        ({"reasoning": {"effort": "high", "summary": None}, "reasoning_effort": "low"}, {"effort": "high"}),
        ({"reasoning": {"summary": "auto"}, "reasoning_effort": "low"}, {"summary": "auto", "effort": "low"}),
        ({"thinking": True}, {"effort": "medium"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, {"effort": "medium"}),
        ({"thinking": {"type": "disabled"}}, {}),
        ({"thinking": "enabled"}, {"effort": "medium"}),
        ({"thinking": "disabled"}, {}),
        ({"thinking": False}, {}),
        ({"thinking": "high"}, {"effort": "high"}),
        ({"enable_thinking": True}, {"effort": "medium"}),
        ({"enable_thinking": False}, {}),
        ({"enable_thinking": True, "reasoning_effort": "xhigh"}, {"effort": "xhigh"}),
    ],
)
def test_reasoning(body, reasoning):
    """`reasoning` has priority over every alias."""
    assert reasoning_settings(body) == reasoning


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, {}),
        ({"verbosity": "low"}, {"verbosity": "low"}),
        ({"textVerbosity": "low"}, {"verbosity": "low"}),
        ({"text": {"verbosity": "high"}, "verbosity": "low"}, {"verbosity": "high"}),
        ({"text": {"format": None}}, {}),
    ],
)
def test_text(body, text):
    assert text_settings(body) == text


SCHEMA = {"type": "object"}
FORMATS = [
    ({"type": "text"}, {"type": "text"}),
    ({"type": "json_object"}, {"type": "json_object"}),
    (
        {
            "type": "json_schema",
            "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": True},
        },
        {"type": "json_schema", "name": "n", "description": "d", "schema": SCHEMA, "strict": True},
    ),
    (
        {"type": "json_schema", "json_schema": {"name": "n"}},
        {"type": "json_schema", "name": "n"},
    ),
]


@pytest.mark.parametrize(("nested", "flat"), FORMATS)
def test_format_there_and_back(nested, flat):
    assert text_format(nested) == flat
    assert response_format(flat) == nested


@pytest.mark.parametrize("word", ["text", "json_object"])
def test_format_as_a_bare_word(word):
    assert text_format(word) == {"type": word}


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("json_schema", "response_format"),
        ("xml", "response_format"),
        (7, "response_format"),
        ([], "response_format"),
        ({}, "response_format"),
        ({"type": "grammar"}, "response_format"),
        ({"type": "json_schema"}, "response_format"),
        ({"type": "json_schema", "json_schema": {}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "no spaces"}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "x" * 65}}, "response_format.json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "newline\n"}}, "response_format.json_schema.name"),
    ],
)
def test_refused_format(given, param):
    with pytest.raises(InvalidRequest) as raised:
        text_format(given)

    assert raised.value.param == param

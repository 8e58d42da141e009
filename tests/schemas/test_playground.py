"""What an operator may compose in the playground."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.playground import MAX_CONVERSATION_CHARS, MAX_MESSAGE_CHARS, MAX_TURNS, PlaygroundInput

REQUEST: dict[str, Any] = {"key": "ann", "model": "gpt-5", "endpoint": "chat", "message": "Hello"}


def test_what_is_absent_has_a_default() -> None:
    assert PlaygroundInput().load(REQUEST) == {**REQUEST, "turns": [], "json": False, "stream": False}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"key": "a b"}, "key"),
        ({"model": ""}, "model"),
        ({"model": "m" * 300}, "model"),
        ({"endpoint": "images"}, "endpoint"),
        ({"message": ""}, "message"),
        ({"message": "x" * (MAX_MESSAGE_CHARS + 1)}, "message"),
        ({"system": "x" * (MAX_MESSAGE_CHARS + 1)}, "system"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"effort": "much"}, "effort"),
        ({"turns": {}}, "turns"),
        ({"turns": ["x"]}, "turns"),
        ({"turns": [{"role": "system", "content": ""}]}, "turns"),
        ({"turns": [{"role": "user", "content": 1}]}, "turns"),
        ({"turns": [{"role": "user", "content": "x"}] * (MAX_TURNS + 1)}, "turns"),
        ({"turns": [{"role": "user", "content": "x" * MAX_CONVERSATION_CHARS}]}, "message"),
        ({"account": "main", "endpoint": "responses"}, "account"),
        ({"account": "../x"}, "account"),
        ({"stop": "x"}, "stop"),
    ],
)
def test_bounds(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        PlaygroundInput().load(REQUEST | changed)

    assert isinstance(refusal.value.messages, dict)
    assert list(refusal.value.messages) == [field]

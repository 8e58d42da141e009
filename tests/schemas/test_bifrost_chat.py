"""A chat body with checked ranges, and `reasoning`."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.bifrost_chat import BIFROST_CHAT_REQUEST

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def load(**fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = BIFROST_CHAT_REQUEST.load({**CHAT, **fields})
    return {name: value for name, value in body.items() if name not in (*CHAT, "stream")}


def test_the_effort_moves_to_its_own_field() -> None:
    assert load(reasoning={"effort": "low"}) == {"reasoning_effort": "low"}
    assert load(reasoning={"effort": "low", "max_tokens": 5}) == {
        "reasoning_effort": "low",
        "reasoning": {"max_tokens": 5},
    }


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"presence_penalty": -3}, "presence_penalty"),
        ({"reasoning": {"effort": "huge"}}, "reasoning"),
        ({"reasoning": {"effort": "low"}, "reasoning_effort": "low"}, "reasoning_effort"),
    ],
)
def test_the_field_of_an_error(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError) as raised:
        load(**fields)

    assert list(raised.value.messages_dict) == [name]

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.openai_sdk_chat import OPENAI_SDK_CHAT_REQUEST
from schemas.pydantic_errors import details

MINIMAL: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def kinds(**change: Any) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        OPENAI_SDK_CHAT_REQUEST.load({**MINIMAL, **change})
    return [found["type"] for found in details(raised.value, {**MINIMAL, **change})]


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({"n": "5"}, {"n": 5}),
        ({"n": 5.0}, {"n": 5}),
        ({"temperature": "0.5"}, {"temperature": 0.5}),
        ({"stream": "YES"}, {"stream": True}),
        ({"stream": 0}, {"stream": False}),
        ({"logit_bias": {"1": "-100"}}, {"logit_bias": {"1": -100}}),
        ({"stop": ["a"]}, {"stop": ["a"]}),
        ({"user": None}, {}),
        ({"unheard_of": [None]}, {"unheard_of": [None]}),
        ({"tools": [{"a": None}]}, {"tools": [{"a": None}]}),
    ],
)
def test_what_is_taken_for_what(change: dict[str, Any], read: dict[str, Any]) -> None:
    assert OPENAI_SDK_CHAT_REQUEST.load({**MINIMAL, **change}) == MINIMAL | read


def test_a_content_that_is_null_stays() -> None:
    messages = [{"role": "assistant", "content": None, "name": None}]

    assert OPENAI_SDK_CHAT_REQUEST.load({**MINIMAL, "messages": messages})["messages"] == [
        {"role": "assistant", "content": None}
    ]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"n": "five"}, "int_parsing"),
        ({"n": 1.5}, "int_from_float"),
        ({"n": True}, "int_type"),
        ({"n": "9" * 5000}, "int_parsing"),
        ({"temperature": "inf"}, "float_parsing"),
        ({"temperature": True}, "float_type"),
        ({"stream": 2}, "bool_parsing"),
        ({"stream": {}}, "bool_type"),
        ({"messages": []}, "too_short"),
        ({"messages": [None]}, "dict_type"),
        ({"model": ""}, "string_too_short"),
        ({"modalities": [None]}, "string_type"),
        ({"audio": []}, "dict_type"),
    ],
)
def test_what_is_refused(change: dict[str, Any], kind: str) -> None:
    assert kinds(**change) == [kind]


def test_all_faults_are_reported() -> None:
    assert sorted(kinds(n=0, user=1, stop=[1, "a", 2])) == [
        "greater_than_equal",
        "string_type",
        "string_type",
        "string_type",
    ]

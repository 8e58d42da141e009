"""Every count that bounds the work on a body: what is at the bound passes, one more is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import Schema, ValidationError

from schemas.chat import CHAT_REQUEST, LEGACY_CHAT_REQUEST
from schemas.openai_sdk_chat import MAX_SCALAR_CHARS, OPENAI_SDK_CHAT_REQUEST
from schemas.pydantic_errors import MAX_NAME_CHARS, count, details
from schemas.responses import RESPONSES_REQUEST
from schemas.validation_errors import first_error
from schemas.work_bounds import (
    MAX_ERRORS,
    MAX_FALLBACKS,
    MAX_ITEMS,
    MAX_PARTS,
    MAX_STOP_CHARS,
    MAX_STOPS,
    MAX_TOOLS,
)

TURN = {"role": "user", "content": "hi"}
CHAT: dict[str, Any] = {"model": "m", "messages": [TURN]}
RESPONSES: dict[str, Any] = {"model": "m", "input": "hi"}
TOOL = {"type": "function", "name": "f"}


def parts(number: int) -> list[Any]:
    """Two messages that have *number* parts together."""
    return [{"role": "user", "content": ["a"] * some} for some in (number // 2, number - number // 2)]


@pytest.mark.parametrize(
    ("schema", "field", "most", "made"),
    [
        (CHAT_REQUEST, "messages", MAX_ITEMS, lambda n: [TURN] * n),
        (CHAT_REQUEST, "messages", MAX_PARTS, parts),
        (CHAT_REQUEST, "tools", MAX_TOOLS, lambda n: [TOOL] * n),
        (CHAT_REQUEST, "functions", MAX_TOOLS, lambda n: [{"name": "f"}] * n),
        (CHAT_REQUEST, "stop", MAX_STOPS, lambda n: ["a"] * n),
        (CHAT_REQUEST, "stop", MAX_STOP_CHARS, lambda n: "a" * n),
        (CHAT_REQUEST, "stop", MAX_STOP_CHARS, lambda n: ["a" * (n - 2), "bc"]),
        (CHAT_REQUEST, "fallbacks", MAX_FALLBACKS, lambda n: ["m"] * n),
        (LEGACY_CHAT_REQUEST, "stop", MAX_STOPS, lambda n: ["a"] * n),
        (RESPONSES_REQUEST, "input", MAX_ITEMS, lambda n: [TURN] * n),
        (RESPONSES_REQUEST, "input", MAX_PARTS, parts),
        (RESPONSES_REQUEST, "tools", MAX_TOOLS, lambda n: [TOOL] * n),
    ],
)
def test_at_the_bound_and_past_it(schema: Schema, field: str, most: int, made: Any) -> None:
    least = RESPONSES if schema is RESPONSES_REQUEST else CHAT
    schema.load({**least, field: made(most)})

    with pytest.raises(ValidationError) as refused:
        schema.load({**least, field: made(most + 1)})

    param, message = first_error(refused.value)
    assert (param, str(most) in message) == (field, True)


def findings(**change: Any) -> list[dict[str, Any]]:
    with pytest.raises(ValidationError) as refused:
        OPENAI_SDK_CHAT_REQUEST.load({**CHAT, **change})
    assert count(refused.value.messages) < 3 * MAX_ERRORS  # collected, not only reported
    return details(refused.value, {**CHAT, **change})


class TestFindings:
    @pytest.mark.parametrize(
        "change",
        [
            {"messages": [1] * 10_000},
            {"messages": [{}] * 10_000},
            {"tools": [1] * 1000, "functions": [1] * 1000},
            {"logit_bias": dict.fromkeys(map(str, range(10_000)), "x")},
            {"prediction": {"type": "content", "content": [1] * 10_000}},
        ],
    )
    def test_no_more_than_help(self, change: dict[str, Any]) -> None:
        assert len(findings(**change)) == MAX_ERRORS

    def test_all_of_them_where_they_are_few(self) -> None:
        assert len(findings(messages=[1] * (MAX_ERRORS - 1))) == MAX_ERRORS - 1

    def test_a_list_that_is_too_long(self) -> None:
        (found,) = findings(messages=[TURN] * (MAX_ITEMS + 1))

        assert (found["type"], found["ctx"]["max_length"], found["input"]) == ("too_long", MAX_ITEMS, None)

    def test_a_long_name_is_not_repeated(self) -> None:
        (found,) = findings(metadata={"n" * 1000: 1})

        assert found["loc"] == ["body", "metadata", "n" * MAX_NAME_CHARS]

    def test_what_is_wrong_is_not_read_as_text(self) -> None:
        """Nor are thousands of digits converted."""
        assert findings(stream={"a": 1})[0]["type"] == "bool_type"
        assert findings(stream="t" * 500)[0]["type"] == "bool_parsing"
        assert findings(temperature="1" + "0" * MAX_SCALAR_CHARS)[0]["type"] == "float_parsing"
        OPENAI_SDK_CHAT_REQUEST.load({**CHAT, "temperature": "0" * (MAX_SCALAR_CHARS - 1) + "1"})

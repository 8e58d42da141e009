from __future__ import annotations

import pytest
from marshmallow import ValidationError

from schemas.pydantic_errors import MESSAGES, PydanticMessage, detail, details, one_of
from schemas.work_bounds import MAX_ECHOED_BYTES

KNOWN = {
    "missing",
    "string_type",
    "int_type",
    "int_parsing",
    "bool_type",
    "list_type",
    "dict_type",
    "literal_error",
    "greater_than_equal",
    "less_than_equal",
    "json_invalid",
}


def test_the_documented_kinds_have_words() -> None:
    assert set(MESSAGES) >= KNOWN


def test_a_finding_is_its_sentence() -> None:
    found = PydanticMessage("less_than_equal", le=128)

    assert found == "Input should be less than or equal to 128"
    assert (found.type, found.context) == ("less_than_equal", {"le": 128})


@pytest.mark.parametrize(
    ("choices", "words"), [(["a"], "'a'"), (["a", "b"], "'a' or 'b'"), (["a", "b", "c"], "'a', 'b' or 'c'")]
)
def test_choices_are_listed(choices: list[str], words: str) -> None:
    (found,) = one_of(choices).messages

    assert found == f"Input should be {words}"


class TestDetails:
    def test_each_has_its_place_and_what_stood_there(self) -> None:
        error = ValidationError(
            {"n": [PydanticMessage("int_type")], "messages": {0: {"role": [PydanticMessage("missing")]}}}
        )

        first, second = details(error, {"n": [], "messages": [{"content": "x"}]})

        assert first == {"type": "int_type", "loc": ["body", "n"], "msg": MESSAGES["int_type"], "input": []}
        assert (second["loc"], second["input"]) == (["body", "messages", 0, "role"], {"content": "x"})

    def test_a_body_that_is_no_object(self) -> None:
        (found,) = details(ValidationError({"_schema": [PydanticMessage("dict_type")]}), [])

        assert found["loc"] == ["body"]

    def test_words_of_other_schemas(self) -> None:
        found = detail("must be kind", ("tools", 0), None)

        assert (found["type"], found["msg"]) == ("value_error", "Value error, must be kind")
        assert found["ctx"] == {"error": "must be kind"}

    def test_long_input_is_not_repeated(self) -> None:
        assert detail("x", (), "a" * MAX_ECHOED_BYTES)["input"] is None

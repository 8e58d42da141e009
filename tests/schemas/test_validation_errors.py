from __future__ import annotations

import pytest
from marshmallow import ValidationError

from schemas.validation_errors import first_error, invalid


def inside(field: str, *place: str | int) -> ValidationError:
    return ValidationError({field: invalid("must be right", *place).messages})


class TestFirstFault:
    @pytest.mark.parametrize(
        ("error", "param", "message"),
        [
            (inside("n"), "n", "n must be right"),
            (inside("stream_options", "include_usage"), *["stream_options.include_usage"] * 2),
            (inside("messages", 2, "role"), "messages", "messages[2].role"),
            (inside("messages", 0, "content", 1, "text"), "messages", "messages[0].content[1].text"),
            (inside("include", 3), "include", "include[3]"),
            (inside("tools"), "tools", "tools must be right"),
            (inside("tools", 3, "function", "name"), "tools[3]", "tools[3].function.name must be right"),
        ],
    )
    def test_param_and_place(self, error, param, message):
        """The param ends where a list begins, but a tool is named with its index."""
        found = first_error(error)

        assert found[0] == param
        assert found[1].startswith(message)
        assert found[1].endswith(" must be right")

    def test_the_first_of_many(self):
        error = ValidationError({"model": ["is required"], "n": ["must be an integer"]})

        assert first_error(error) == ("model", "model is required")

    def test_a_body_that_is_no_object(self):
        error = ValidationError({"_schema": ["must be an object"]})

        assert first_error(error) == (None, "The request body must be an object")

    def test_a_field_that_is_no_object(self):
        error = ValidationError({"text": {"_schema": ["must be an object"]}})

        assert first_error(error) == ("text", "text must be an object")

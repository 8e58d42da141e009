"""An account's own fields change nothing that limits count."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import InvalidRequest
from app.limits.own_fields import check_model_names, check_own_fields


class TestFields:
    @pytest.mark.parametrize(
        "name",
        [
            *("model", "Model", "models", "maxTokens", "max_output_tokens", "num_predict", "n", "best_of"),
            *(
                "stream",
                "stream_options",
                "service_tier",
                "store",
                "messages",
                "input",
                "prompt",
                "background",
            ),
            *("previous_response_id", "conversation", "file_ids", "fallbacks"),
        ],
    )
    def test_checked_by_limits(self, name: str) -> None:
        """Neither left out nor set, by any spelling that a lenient server may accept."""
        with pytest.raises(InvalidRequest, match="cannot be left out: it "):
            check_own_fields([name], {})
        with pytest.raises(InvalidRequest, match="cannot be set: it "):
            check_own_fields([], {name: 1})

    @pytest.mark.parametrize("name", ["tools", "instructions", "response_format", "web-search", "mcpServers"])
    def test_more_input(self, name: str) -> None:
        """It may be left out, which makes a request smaller, but not set."""
        check_own_fields([name], {})
        with pytest.raises(InvalidRequest, match="adds input that limits do not count"):
            check_own_fields([], {name: []})

    @pytest.mark.parametrize(
        "value",
        [{"num_predict": 1}, {"a": [{"model": "x"}]}, [{"MaxTokens": 1}], {"a": {"n": 2}}],
    )
    def test_members(self, value: Any) -> None:
        with pytest.raises(InvalidRequest, match=r"its member '\w+' chooses the model, the length"):
            check_own_fields([], {"options": value})

    def test_a_mode_that_calls_the_model_more_often(self) -> None:
        with pytest.raises(InvalidRequest, match="its member 'mode'"):
            check_own_fields([], {"reasoning": {"mode": "pro"}})

    @pytest.mark.parametrize(
        "values",
        [
            {"temperature": 0.2, "reasoning_effort": "low", "top_k": 4, "user": "pool"},
            {"reasoning": {"effort": "low"}, "chat_template_kwargs": {"enable_thinking": False}},
            {"options": {"num_ctx": 8192}, "model": None},
        ],
    )
    def test_settings_of_the_model(self, values: dict[str, Any]) -> None:
        check_own_fields(values.keys() - {"model"}, values)


class TestModelNames:
    def test_that_add_input(self) -> None:
        check_model_names({"m": "n", "m:online": "n:online", "gone": None})
        with pytest.raises(InvalidRequest, match="'n:online' searches"):
            check_model_names({"m": "n:online"})

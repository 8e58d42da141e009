"""Steps and fields of model routes as operators write them."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.route_syntax import format_fields, format_step, parse_fields, parse_step
from app.errors import InvalidRequest


def target(model: str, *accounts: str, weight: int = 1) -> dict[str, Any]:
    return {"model": model, "accounts": list(accounts), "weight": weight}


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("gpt-5", [target("gpt-5")]),
        ("llama@gpu1,gpu2", [target("llama", "gpu1", "gpu2")]),
        ("llama@group:2,gpu1", [target("llama", "group:2", "gpu1")]),
        ("a=90,b=10", [target("a", weight=90), target("b", weight=10)]),
        ("a@x,y=3,b=1", [target("a", "x", "y", weight=3), target("b")]),
        ("@cf/meta/llama", [target("@cf/meta/llama")]),
        ("claude@20240620@", [target("claude@20240620")]),
        ("claude@20240620@x", [target("claude@20240620", "x")]),
        ("vendor/a=b", [target("vendor/a=b")]),
        ("size=7=1", [target("size=7")]),
        ("size=-1.5=2,b=1", [target("size=-1.5", weight=2), target("b")]),
    ],
)
def test_both_ways(text: str, targets: list[dict[str, Any]]) -> None:
    assert parse_step(text) == targets
    assert format_step(targets) == text


def test_what_is_left_out() -> None:
    assert parse_step(" a , b ") == [target("a"), target("b")]
    assert parse_step("a = 90 , b @ x = 10") == [target("a", weight=90), target("b", "x", weight=10)]
    assert parse_step("a,b@x,y") == [target("a"), target("b", "x", "y")]


@pytest.mark.parametrize("text", ["", " ", "a,", ",a", "=3", "a@x,=3"])
def test_without_a_name(text: str) -> None:
    with pytest.raises(InvalidRequest, match="must have the name of a model") as raised:
        parse_step(text)
    assert raised.value.param == "steps"


@pytest.mark.parametrize("weight", ["1.5", "-1", "+1", "50%", "." * 50, "9" * 16])
def test_number_that_is_not_a_weight(weight: str) -> None:
    with pytest.raises(InvalidRequest, match="A weight must be a whole number from 1, not") as raised:
        parse_step(f"a={weight},b=2")
    assert raised.value.param == "steps"
    assert len(raised.value.message) < 100


def test_fields() -> None:
    texts = ["max_tokens=400", "temperature=0.5", "reasoning_effort=low"]
    fields = {"max_tokens": 400, "temperature": 0.5, "reasoning_effort": "low"}

    assert parse_fields(texts, "defaults") == fields
    assert format_fields(fields) == texts
    assert parse_fields(["max_tokens=many"], "defaults") == {"max_tokens": "many"}
    with pytest.raises(InvalidRequest, match="NAME=VALUE"):
        parse_fields(["temperature"], "defaults")
    with pytest.raises(InvalidRequest, match="'temperature' is given twice") as raised:
        parse_fields(["temperature=1", "temperature =2"], "overrides")
    assert raised.value.param == "overrides"

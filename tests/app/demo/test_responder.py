"""The response to a request, independent of a protocol."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.demo.request import parse_responses_request
from app.demo.responder import pieces, respond

TOOL = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
}


def respond_to(**body: Any) -> Any:
    return respond(parse_responses_request({"model": "m", "input": "hi", **body}))


@given(st.text())
@settings(max_examples=50)
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@pytest.mark.parametrize("body", [{}, {"input": "please refuse"}, {"tools": [TOOL]}])
@pytest.mark.parametrize("limit", [None, 1, 4, 7, 1000])
def test_each_delta_is_one_billed_token(body: dict[str, Any], limit: int | None) -> None:
    made = respond_to(**body, max_output_tokens=limit, reasoning={"effort": "low"})
    arguments = sum(len(call.arguments) for call in made.calls)
    produced = len(made.reasoning) + len(made.text) + len(made.refusal) + arguments
    assert made.usage.output_tokens == produced
    assert made.usage.reasoning_tokens == len(made.reasoning)
    assert limit is None or produced <= limit


def test_a_limit_that_fits_cuts_nothing() -> None:
    complete = respond_to()
    assert not respond_to(max_output_tokens=complete.usage.output_tokens).cut
    assert respond_to(max_output_tokens=complete.usage.output_tokens - 1).cut


def test_a_refusal_comes_before_a_call() -> None:
    assert respond_to(input="please refuse", tools=[TOOL]).calls == ()


def test_a_call_that_the_limit_leaves_nothing_of_is_gone() -> None:
    made = respond_to(tools=[TOOL, {**TOOL, "name": "other"}], input="look_up other", max_output_tokens=1)
    assert [call.name for call in made.calls] == ["look_up"]
    assert made.cut


def test_a_long_prompt_is_quoted_in_part() -> None:
    assert len("".join(respond_to(input="word " * 10_000).text)) < 600

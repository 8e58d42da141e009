"""What is read from a request, on either wire."""

from __future__ import annotations

from typing import Any

import pytest

from app.demo.request import parse_chat_request, parse_responses_request


def chat(**more: Any) -> Any:
    return parse_chat_request({"model": "m", "messages": [{"role": "user", "content": "hi"}], **more})


def responses(**more: Any) -> Any:
    return parse_responses_request({"model": "m", "input": "hi", **more})


def test_only_results_since_the_last_user_message_count() -> None:
    old = {"role": "tool", "tool_call_id": "call_1", "content": "old"}
    user = {"role": "user", "content": "and now?"}
    new = {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "new"}]}
    assert chat(messages=[old, user]).results == ()
    assert chat(messages=[old, user, new]).results == ("new",)


@pytest.mark.parametrize("word", ["slow", "Slowly,", "please be slow"])
def test_slow_is_a_word(word: str) -> None:
    assert responses(input=word).slow
    assert not responses(input="a landslowside").slow


def test_both_protocols_bill_the_same_prompt_alike() -> None:
    assert chat().input_tokens == responses().input_tokens


def test_input_tokens_grow_with_text_and_tools() -> None:
    tool = {"type": "function", "name": "f", "parameters": {}}
    assert responses(input="x" * 400).input_tokens == 103
    assert responses(tools=[tool]).input_tokens > responses().input_tokens


def test_an_image_is_not_text() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}}
    assert chat(messages=[{"role": "user", "content": [part]}]).input_tokens < 10


@pytest.mark.parametrize("send_request", [chat, responses])
@pytest.mark.parametrize(
    "odd",
    [
        {"tools": "all"},
        {"tools": [{"type": "function"}, 4, {"type": "custom", "name": "c"}]},
        {"tool_choice": 7},
        {"n": -1, "max_tokens": "ten", "max_output_tokens": True},
        {"stop": 4},
        {"reasoning": "high", "reasoning_effort": 3, "text": [], "response_format": []},
    ],
)
def test_a_field_of_the_wrong_shape_is_as_good_as_absent(send_request: Any, odd: Any) -> None:
    assert send_request(**odd) == send_request()


def test_stop_may_be_one_or_many() -> None:
    assert chat(stop="a").stop == ("a",)
    assert chat(stop=["a", "b"]).stop == ("a", "b")

"""What `messages`, `chat_history` and `responses_input` share about parts."""

from __future__ import annotations

import pytest

from app.translation.requests.parts import as_list, beyond_text, invalid, text_of


@pytest.mark.parametrize(
    ("content", "parts"), [(None, []), ("a", ["a"]), ({}, [{}]), ([], []), (["a"], ["a"])]
)
def test_as_list(content, parts):
    assert as_list(content) == parts


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("a", "a"),
        ({"text": "a"}, "a"),
        ({"type": "text", "text": ""}, ""),
        ({"type": "input_text", "text": "a"}, "a"),
        ({"type": "output_text", "text": "a"}, "a"),
        ({"type": "reasoning", "text": "a"}, None),
        ({"type": "text", "text": 1}, None),
        ({"type": "text"}, None),
        (7, None),
        (None, None),
    ],
)
def test_text(part, text):
    assert text_of(part) == text


@pytest.mark.parametrize(
    ("message", "is_beyond"),
    [
        ({"role": "user", "content": "Hi"}, False),
        ({"role": "user", "content": ["Hi"]}, True),
        ({"role": "assistant", "content": None}, True),
        ({"role": "assistant", "refusal": "No"}, True),
        ({"role": "user", "content": "Hi", "name": "Ann"}, True),
        ({"type": "web_search_call", "content": "Hi"}, True),
        ("Hi", True),
    ],
)
def test_more_than_a_role_and_a_string(message, is_beyond):
    assert beyond_text([message]) == [message] * is_beyond


def test_refused():
    """The field is the parameter; the place is in the message."""
    error = invalid("input[3]", "is wrong")

    assert (error.param, error.message) == ("input", "input[3]: is wrong")

"""Custom calls and `local_shell` calls as function calls."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.requests.function_calls import (
    action_arguments,
    custom_input,
    input_arguments,
    shell_action,
)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_input_there_and_back(text):
    assert custom_input(input_arguments(text)) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.data())
def test_broken_off(text, data):
    """What was complete of the text is shown."""
    arguments = json.dumps({"input": text}, separators=(",", ":"))
    cut = data.draw(st.integers(len('{"input":"'), len(arguments)))

    assert text.startswith(custom_input(arguments[:cut]))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [("plain", "plain"), ('"quoted"', "quoted"), ('{"patch":"x"}', '{"patch":"x"}'), ("7", "7"), ("", "")],
)
def test_other_forms(arguments, text):
    assert custom_input(arguments) == text


def test_action_there_and_back():
    action = {"type": "exec", "command": ["ls"], "env": {"A": "b"}, "working_directory": "/", "timeout_ms": 9}

    assert shell_action(action_arguments(action)) == action


@pytest.mark.parametrize("arguments", ["", "x", "[]", "{}", '{"command":7}', '{"command":[1]}'])
def test_no_action(arguments):
    assert shell_action(arguments) is None


def test_command_line():
    assert shell_action('{"command":"ls | wc"}') == {
        "type": "exec",
        "env": {},
        "command": ["bash", "-lc", "ls | wc"],
    }


@pytest.mark.parametrize("action", [None, "x", {}])
def test_odd_action(action):
    assert action_arguments(action) == "{}"

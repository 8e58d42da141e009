"""Field names of some chat clients become those that chat servers know."""

from __future__ import annotations

from typing import Any

import pytest

from app.translation.requests.chat_aliases import in_form_of_chat, translate_aliases, with_nested_tools
from app.translation.requests.parts import beyond_text

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("aliases", "sent"),
    [
        ({"reasoningEffort": "low"}, {"reasoning_effort": "low"}),
        ({"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}),
        ({"thinking": {"type": "enabled"}}, {"reasoning_effort": "medium"}),
        ({"textVerbosity": "low"}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        ({"promptCacheKey": "k"}, {"prompt_cache_key": "k"}),
        ({}, {}),
    ],
)
def test_aliases(aliases: dict[str, Any], sent: dict[str, Any]) -> None:
    assert translate_aliases({"messages": MESSAGES}, aliases) == {"messages": MESSAGES, **sent}


def test_instructions_become_the_first_message() -> None:
    body = translate_aliases({"messages": MESSAGES}, {"instructions": "Be brief."})

    assert body["messages"] == [{"role": "system", "content": "Be brief."}, *MESSAGES]


def test_the_documented_name_has_priority() -> None:
    body = {"messages": MESSAGES, "prompt_cache_key": "documented"}

    assert translate_aliases(body, {"promptCacheKey": "alias"})["prompt_cache_key"] == "documented"


GRAMMAR = {"syntax": "lark", "definition": "start: a"}
FUNCTION = {"name": "f", "parameters": {}, "more": 1}
NESTED = {"type": "function", "function": FUNCTION}


@pytest.mark.parametrize(
    ("tool", "sent"),
    [
        ({"type": "function", **FUNCTION}, NESTED),
        (FUNCTION, NESTED),
        ({"type": "function", "cache_control": {}, **FUNCTION}, {**NESTED, "cache_control": {}}),
        ({"type": "custom", "name": "c"}, {"type": "custom", "custom": {"name": "c"}}),
        (
            {"type": "custom", "name": "c", "format": {"type": "grammar", **GRAMMAR}},
            {"type": "custom", "custom": {"name": "c", "format": {"type": "grammar", "grammar": GRAMMAR}}},
        ),
        (NESTED, NESTED),
        ({"type": "web_search", "name": "f"}, {"type": "web_search", "name": "f"}),
        (7, 7),
    ],
)
def test_tools(tool: Any, sent: Any) -> None:
    assert with_nested_tools({"tools": [tool]}) == {"tools": [sent]}


CHOICE = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({"type": "function", "name": "f"}, CHOICE),
        (CHOICE, CHOICE),
        ("auto", "auto"),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [CHOICE]}},
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [CHOICE]}},
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [CHOICE]}},
        ),
    ],
)
def test_choices(choice: Any, sent: Any) -> None:
    assert with_nested_tools({"tools": [NESTED], "tool_choice": choice})["tool_choice"] == sent


TEXT, IMAGE = {"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        ([{"type": "input_text", "text": "a"}, IMAGE], [TEXT, IMAGE]),
        ([{"type": "output_text", "text": "a"}], [TEXT]),
        ([{"text": "a", "cache_control": {}}], [{**TEXT, "cache_control": {}}]),
        (["a", TEXT], [TEXT, TEXT]),
        ({"type": "input_text", "text": "a"}, [TEXT]),
        (IMAGE, [IMAGE]),
        ([{"file": {"file_data": "d"}}], [{"file": {"file_data": "d"}}]),
        ([TEXT, IMAGE], [TEXT, IMAGE]),
        ("a", "a"),
        (None, None),
    ],
)
def test_parts(content: Any, sent: Any) -> None:
    body = {"messages": [*MESSAGES, {"role": "user", "content": content}]}

    assert in_form_of_chat(body, beyond_text(body["messages"])) == {
        "messages": [*MESSAGES, {"role": "user", "content": sent}]
    }


def test_ordinary_requests_are_not_copied() -> None:
    body = {"messages": [*MESSAGES, {"role": "user", "content": [TEXT, IMAGE]}], "tools": [NESTED]}

    assert in_form_of_chat(body, beyond_text(body["messages"])) is body

"""Field names of some chat clients become those that chat servers know."""

from __future__ import annotations

from typing import Any

import pytest

from app.translation.requests.chat_aliases import translate_aliases

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
